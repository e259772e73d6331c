"""The win rate: how often one model ranks an item that a user loved above where another model ranks it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nightreel.errors import ConfigurationError
from nightreel.evaluate.cells import Measures, fit_candidate
from nightreel.evaluate.comparison import Candidate
from nightreel.models import Capability
from nightreel.models.engine.catalogue import Ints
from nightreel.models.forms.arrays import ArrayModel, Bools, Ratings

if TYPE_CHECKING:
    import pandas as pd

LEAST_RATINGS = 100
"""Of a user who is asked."""

_LOVED = _OTHERS = 5


def win_rates(ratings: Ratings, candidates: Sequence[Candidate], measures: Measures) -> pd.DataFrame:
    """Rows over columns, from 0 to 1: shares of the loved items that stand higher; where both rank alike, half counts.

    Of every user with at least 100 ratings five loved items (evaluate.relevant_from and up) and five others are held
    out, drawn by the seed; users without five of each are left out. Each model is trained once on the other rows, and
    orders each user's ten items.

    Raises
    ------
    ConfigurationError : no user has that many ratings, or a model does not train in memory
    """
    held_out = _held_out(ratings, measures)
    if not held_out.any():
        raise ConfigurationError(
            f"--win-rate: no user has {LEAST_RATINGS} ratings, {_LOVED} of them of at least "
            f"evaluate.relevant_from = {measures.evaluate.relevant_from:g} and {_OTHERS} below"
        )
    train, asked = ratings.where(~held_out), ratings.where(held_out)
    loved = asked.rating >= measures.evaluate.relevant_from
    places = {
        one.label: _places(fit_candidate(one, train, measures.seed, None), train, asked)[loved] for one in candidates
    }
    import pandas as pd

    return pd.DataFrame(
        {
            column: {
                row: float("nan") if row == column else float(np.mean((mine < others) + 0.5 * (mine == others)))
                for row, mine in places.items()
            }
            for column, others in places.items()
        }
    )


def _held_out(ratings: Ratings, measures: Measures) -> Bools:
    random = np.random.default_rng(measures.seed)
    lists, chosen = ratings.by_user, np.zeros(len(ratings), np.bool_)
    for user in np.flatnonzero(lists.counts >= LEAST_RATINGS):
        rows = np.arange(lists.starts[user], lists.starts[user + 1])  # ratings are ordered by user
        loved = ratings.rating[rows] >= measures.evaluate.relevant_from
        if loved.sum() >= _LOVED and (~loved).sum() >= _OTHERS:
            chosen[random.choice(rows[loved], _LOVED, replace=False)] = True
            chosen[random.choice(rows[~loved], _OTHERS, replace=False)] = True
    return chosen


def _places(model: ArrayModel, train: Ratings, asked: Ratings) -> Ints:
    """(rows,): where the model puts each held-out item among those of its user, from 0."""
    scores: Any
    if Capability.PREDICT in model.capabilities:
        scores = model.predict(asked.user_idx, asked.item_idx).prediction.astype(np.float64)
    else:
        users = np.unique(asked.user_idx)
        ranked = model.recommend(users, n=train.n_items, seen=train.by_user.of(users))
        rank_of = np.full((len(users), train.n_items), train.n_items + 1)
        rank_of[ranked.row, ranked.item_idx] = ranked.rank
        scores = -rank_of[np.searchsorted(users, asked.user_idx), asked.item_idx].astype(np.float64)
    order = np.lexsort((-scores, asked.user_idx))
    places = np.empty(len(scores), np.int64)
    places[order] = np.arange(len(scores)) - np.searchsorted(asked.user_idx, asked.user_idx[order])
    return places
