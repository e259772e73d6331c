"""What is rated: invented films, the same for every sample with the same seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nightreel.sample.language.titles import GENRES, MOST_MOVIES, titles_of
from nightreel.sample.world.period import LAST_DAY, opening_day

_MIDDLE, _QUALITY_SPREAD = 3.75, 0.4
_FAME_OF_QUALITY = 0.5
"""By how much the logarithm of a film's popularity grows with each standard deviation of its quality."""
_YEARS_BACK, _MOST_YEARS_BACK = 11.0, 85
_YEAR_UNKNOWN = 2_500
"""Of so many films, one has no year."""


@dataclass(frozen=True)
class Catalogue:
    """The films in order. Arrays have the shape (n,).

    A smaller catalogue with the same seed is the beginning of a larger one, so that a description of many films
    describes those of every sample.
    """

    titles: tuple[str, ...]
    genres: NDArray[np.int64]
    """Positions in GENRES."""
    years: NDArray[np.int64]
    """0: unknown."""
    opens: NDArray[np.float32]
    """The first day on which anyone may have rated it."""
    quality: NDArray[np.float32]
    """Stars above or below the user's own level; the middle of the scale included."""
    fame: NDArray[np.float64]
    """Standard normal: what makes a film popular beside its quality."""

    @classmethod
    def planted(cls, *, movies: int, seed: int) -> Catalogue:
        rng = np.random.default_rng([seed, 1])
        genres = _genres(rng)
        titles = _titles(genres, rng)
        years = LAST_DAY.year - np.minimum(rng.exponential(_YEARS_BACK, MOST_MOVIES).astype(np.int64), _MOST_YEARS_BACK)
        years[int(rng.integers(len(GENRES))) :: _YEAR_UNKNOWN] = 0
        quality, fame = rng.normal(0.0, 1.0, (2, MOST_MOVIES))
        return cls(
            titles=titles[:movies],
            genres=genres[:movies],
            years=years[:movies],
            opens=np.array([opening_day(int(year)) for year in years[:movies]], dtype=np.float32),
            quality=(_MIDDLE + _QUALITY_SPREAD * quality[:movies]).astype(np.float32),
            fame=fame[:movies],
        )

    def popularity(self, spread: float) -> NDArray[np.float64]:
        """How often each is picked, in proportion; `spread` is the standard deviation of its logarithm."""
        esteem = _FAME_OF_QUALITY * (self.quality - _MIDDLE) / _QUALITY_SPREAD
        of_fame = float(np.sqrt(spread**2 - _FAME_OF_QUALITY**2))
        popularity: NDArray[np.float64] = np.exp(of_fame * self.fame + esteem)
        return popularity


def _genres(rng: np.random.Generator) -> NDArray[np.int64]:
    rounds = np.tile(np.arange(len(GENRES)), (MOST_MOVIES // len(GENRES), 1))
    return rng.permuted(rounds, axis=1).ravel()


def _titles(genres: NDArray[np.int64], rng: np.random.Generator) -> tuple[str, ...]:
    shuffled = [iter(rng.permutation(titles_of(genre)).tolist()) for genre in GENRES]
    return tuple(next(shuffled[genre]) for genre in genres.tolist())
