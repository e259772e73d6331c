"""Bayesian factorisation: what decides the chain, its sweeps and checkpoints, and sampling in memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nightreel.errors import DataError
from nightreel.models.engine.catalogue import Floats
from nightreel.models.forms.arrays import Lists, Ratings
from nightreel.settings.sections import PositiveInt, Section

if TYPE_CHECKING:
    from nightreel.models.solve.chain import Chain, Gramians
    from nightreel.models.solve.gibbs import Prior
    from nightreel.models.solve.kept_samples import Sampled

MOST_LINKED = 25_000
"""Users or items, whichever are fewer, up to which there are links: the driver holds two matrices of the square."""
_CHECKPOINT_SWEEPS = 10


class SamplingParams(Section):
    """What decides the chain."""

    rank: PositiveInt
    sweeps: PositiveInt
    burn_in: PositiveInt
    """Sweeps before the first sample."""
    samples: PositiveInt
    """Kept, evenly spaced over the sweeps after `burn_in`: the vectors have samples x rank numbers."""
    links: bool
    """Whether a user's prior follows from what it has rated, and an item's from who has rated it."""

    @property
    def kept_at(self) -> frozenset[int]:
        """The sweeps whose state is kept."""
        return frozenset(np.linspace(self.burn_in + 1, self.sweeps, self.samples).round().astype(int).tolist())


def sample_in_memory(ratings: Ratings, params: SamplingParams, *, seed: int) -> Sampled:
    """The chain's samples.

    Parameters
    ----------
    ratings : less their mean
    """
    from nightreel.models.solve.chain import Chain
    from nightreel.models.solve.gibbs import draw

    names = sides_of(ratings.n_users, ratings.n_items)
    lists = {"users": ratings.by_user, "items": ratings.by_item}
    wide, narrow = (lists[names[side]] for side in ("wide", "narrow"))

    def of_side(side: str, other: Floats, own: Floats, *, prior: Prior, alpha: float, seed: int) -> Floats:
        rows = lists[names[side]]
        return draw(rows, other, own, np.arange(len(rows.counts)), prior=prior, alpha=alpha, seed=seed)

    gramians = _gramians(wide, narrow) if params.links else None
    counts = wide.counts.astype(np.float32), narrow.counts.astype(np.float32)
    return sample(Chain(of_side, gramians, counts, rank=params.rank, seed=seed), names, params)


def check_links(users: int, items: int) -> None:
    """Raise DataError where the links' matrices would not fit the driver."""
    if min(users, items) > MOST_LINKED:
        raise DataError(
            f"model bayes_mf: {users:,} users and {items:,} items, and links take a matrix of the square of the fewer "
            f"of them, of at most {MOST_LINKED:,}: set models.bayes_mf.links=false"
        )


def sample(
    chain: Chain, names: dict[str, str], params: SamplingParams, checkpoint: Path | None = None, *, resume: bool = False
) -> Sampled:
    """The chain's samples.

    Parameters
    ----------
    names : users or items, of wide and narrow
    checkpoint : the file that keeps the state of every tenth sweep, for a training that is killed; removed at the end
    """
    from nightreel.models.solve.kept_samples import KeptSamples

    kept, kept_at = KeptSamples(), params.kept_at
    if resume and checkpoint is not None and checkpoint.exists():
        with np.load(checkpoint) as state:
            chain.restore(state)
            kept.restore(state)
    while chain.sweeps < params.sweeps:
        chain.sweep()
        if chain.sweeps in kept_at:
            sides = {names["wide"]: chain.wide, names["narrow"]: chain.narrow}
            kept.add(sides["users"], sides["items"], chain.alpha)
        if checkpoint is not None and chain.sweeps % _CHECKPOINT_SWEEPS == 0:
            written = checkpoint.with_suffix(".new")
            with written.open("wb") as file:
                np.savez(file, **chain.state(), **kept.state())
            written.replace(checkpoint)
    if checkpoint is not None:
        checkpoint.unlink(missing_ok=True)
    return kept.sampled()


def sides_of(users: int, items: int) -> dict[str, str]:
    """Which side is wide, the one with more rows, and which narrow."""
    return {"wide": "users", "narrow": "items"} if users >= items else {"wide": "items", "narrow": "users"}


def _gramians(wide: Lists, narrow: Lists) -> Gramians:
    from nightreel.models.solve.chain import Gramians
    from nightreel.models.solve.gramian import gramian, symmetric

    of_wide = np.repeat(1 / np.sqrt(np.maximum(wide.counts, 1)), wide.counts)
    of_narrow = (1 / np.sqrt(np.maximum(narrow.counts, 1)))[wide.ids]
    return Gramians(
        *(
            symmetric(gramian(wide._replace(values=values.astype(np.float32)), len(narrow.counts)))
            for values in (of_wide, of_narrow)
        )
    )
