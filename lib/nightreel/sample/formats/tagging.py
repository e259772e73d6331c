"""tags.csv: the words some users have for some of the films they rated."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nightreel.sample.language.tags import ANY, BLAME, PRAISE, TAGS, rank
from nightreel.sample.language.titles import GENRES
from nightreel.sample.world.by_user import UserRows
from nightreel.sample.world.opinions import Rng

_TAGGERS, _TAGGED = 0.1, 0.3
"""The share of users who tag at all, and of their films that they do tag."""
_OF_GENRE, _OF_JUDGEMENT = 0.65, 0.9
"""Running sums of the shares of tags that name the genre, or say whether the film is any good."""
_GOOD = 3.5
_AFTER = 600

_OF_GENRES = np.array([TAGS[genre] for genre in GENRES], dtype=object)
_JUDGEMENTS = np.array([BLAME, PRAISE], dtype=object)
_ANY = np.array(ANY, dtype=object)


@dataclass(frozen=True)
class Tagging:
    users: NDArray[np.int64]
    """Ids by position, as are the other two."""
    movies: NDArray[np.int64]
    genres: NDArray[np.int64]

    def lines(self, rows: UserRows, rng: Rng) -> bytes:
        """A tag a line, in the order of the rows; what holds a comma or quotes is quoted."""
        tag_at_all = rng.random(int(rows.users[-1] - rows.users[0]) + 1) < _TAGGERS
        tagged = np.flatnonzero(tag_at_all[rows.users - rows.users[0]] & (rng.random(rows.users.size) < _TAGGED))
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(
            zip(
                self.users[rows.users[tagged]].tolist(),
                self.movies[rows.movies[tagged]].tolist(),
                self._tags(rows, tagged, rng),
                (rows.times[tagged] + rng.integers(1, _AFTER, tagged.size)).tolist(),
                strict=True,
            )
        )
        return text.getvalue().encode()

    def _tags(self, rows: UserRows, tagged: NDArray[np.int64], rng: Rng) -> list[str]:
        genre = _OF_GENRES[self.genres[rows.movies[tagged]], rank(rng.random(tagged.size))]
        liked = rows.scores[tagged] >= _GOOD
        judgement = _JUDGEMENTS[liked.astype(np.int64), rng.integers(0, _JUDGEMENTS.shape[1], tagged.size)]
        other = _ANY[rng.integers(0, _ANY.size, tagged.size)]
        kinds = rng.random(tagged.size)
        tags: list[str] = np.select([kinds < _OF_GENRE, kinds < _OF_JUDGEMENT], [genre, judgement], other).tolist()
        return tags
