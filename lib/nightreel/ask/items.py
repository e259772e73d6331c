"""The items that are kept, and how a person names one: by its id, or by its title or most of it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from nightreel.errors import ConfigurationError
from nightreel.tables.snapshot import Snapshot

_ARTICLES = ("the", "a", "an", "le", "la", "les", "el", "il", "der", "die", "das")
_TRAILING = re.compile(rf"^(.*), ({'|'.join(_ARTICLES)})\b(.*)$")
_CLOSE, _CLEAR = 85.0, 5.0
"""Similarity in percent from which a misspelt title is taken, and how far the next one has to be behind."""
_NEAREST = 5


@dataclass(frozen=True)
class Item:
    """An item that is kept; n_ratings and mean_rating over all ratings that are."""

    item_idx: int
    item_id: int | str
    title: str
    year: int | None
    genres: Sequence[str]
    n_ratings: int
    mean_rating: float

    @property
    def name(self) -> str:
        """The title with its year, or the id of an item without a title."""
        return f"{self.title} ({self.year})" if self.title and self.year else self.title or f"item {self.item_id}"


class Items:
    """All items, by item_idx."""

    def __init__(self, snapshot: Snapshot) -> None:
        rows = snapshot.rows("silver_items", order="item_idx")
        self._rows = rows
        self.item_idx: list[int] = rows["item_idx"].to_pylist()
        self.ids: list[int | str] = rows["item_id"].to_pylist()
        self._titles = [title or "" for title in rows["title"].to_pylist()]
        self._years: list[int | None] = rows["year"].to_pylist()
        self._counts = rows["n_ratings"].to_numpy()
        self._at = {item_idx: place for place, item_idx in enumerate(self.item_idx)}
        self.size = max(self.item_idx, default=-1) + 1
        """One more than the largest item_idx."""

    def __getitem__(self, item_idx: int) -> Item:
        return self._item(self._at[item_idx])

    def _item(self, place: int) -> Item:
        return Item(
            item_idx=self.item_idx[place],
            item_id=self.ids[place],
            title=self._titles[place],
            year=self._years[place],
            genres=self._rows["genres"][place].as_py() or [],
            n_ratings=int(self._counts[place]),
            mean_rating=self._rows["mean_rating"][place].as_py(),
        )

    @cached_property
    def idx_by_id(self) -> dict[int | str, int]:
        """By external id, the item_idx."""
        return dict(zip(self.ids, self.item_idx, strict=True))

    @cached_property
    def names(self) -> list[str]:
        """Of every item, in the order of `ids`, its title with its year."""
        return [self._item(place).name for place in range(len(self.ids))]

    def find(self, text: int | str) -> Item:
        """The item with this id, or the one whose title this is, or begins with it, or holds it, or is misspelt by it.

        Raises
        ------
        ConfigurationError : none, or several; names the nearest
        """
        if (named := self._by_id.get(str(text).strip())) is not None:
            return self._item(named)
        wanted, year = _with_year(str(text))
        rows = [place for place, of in enumerate(self._years) if year is None or of == year]
        exact = [place for place in rows if self._plain[place] == wanted]
        begun = [place for place in rows if self._plain[place].startswith(wanted + " ")] if wanted else []
        held = [place for place in rows if wanted and f" {wanted} " in f" {self._plain[place]} "]
        found = exact or begun or held or self._misspelt(wanted, rows)
        if len(found) == 1:
            return self._item(found[0])
        near = sorted(found, key=self._by_ratings) or self._nearest(wanted, range(len(self.ids)))
        shown = ", ".join(self._said(place) for place in near[: 2 * _NEAREST])
        said = "several titles fit" if found else "no such title or id; the nearest are"
        raise ConfigurationError(f"{text}: {said}: {shown}; name one by its whole title, with the year, or its id")

    def search(self, text: str, *, n: int) -> list[Item]:
        """Items whose title, genres or overview hold all the words, most rated first; then titles that are close."""
        words = plain(text).split()
        holds = [place for place, there in enumerate(self._texts) if words and all(word in there for word in words)]
        whole = [re.compile(rf"\b{re.escape(word)}\b") for word in words]
        holds = [place for place in holds if all(word.search(self._texts[place]) for word in whole)]
        places = sorted(holds, key=lambda place: (not whole[0].search(self._plain[place]), *self._by_ratings(place)))
        near = self._nearest(plain(text), range(len(self.ids)), n=n) if len(places) < n else []
        rest = [place for place in near if place not in set(places)]
        return [self._item(place) for place in [*places, *rest][:n]]

    def most_rated(self, *, n: int) -> list[Item]:
        """The items with the most ratings."""
        return [self._item(place) for place in np.argsort(-self._counts, kind="stable")[:n].tolist()]

    def best(self, *, n: int, prior: float | None = None) -> list[tuple[Item, float]]:
        """The items with the best weighted mean, (n * mean + m * global) / (n + m).

        Parameters
        ----------
        prior : m, in ratings; None: the mean number of ratings of an item
        """
        counts, means = self._counts.astype(np.float64), self._rows["mean_rating"].to_numpy()
        m = float(counts.mean()) if prior is None else prior
        total = float((counts * means).sum() / max(counts.sum(), 1.0))
        weighted = (counts * means + m * total) / np.maximum(counts + m, np.finfo(np.float64).tiny)
        order = np.lexsort((np.arange(len(weighted)), -counts, -weighted))[:n]
        return [(self._item(place), float(weighted[place])) for place in order.tolist()]

    @cached_property
    def _by_id(self) -> dict[str, int]:
        return {str(item_id): place for place, item_id in enumerate(self.ids)}

    @cached_property
    def _plain(self) -> list[str]:
        return [plain(title) for title in self._titles]

    @cached_property
    def _texts(self) -> list[str]:
        """Of each item its title, genres and overview, in lower case."""
        parts = zip(self._plain, *(self._rows[name].to_pylist() for name in ("genres", "overview")), strict=True)
        return [f"{title} {' '.join(genres or [])} {overview or ''}".casefold() for title, genres, overview in parts]

    def _by_ratings(self, place: int) -> tuple[int, int]:
        return -int(self._counts[place]), place

    def _said(self, place: int) -> str:
        item = self._item(place)
        return f"{item.name} [{item.item_id}]"

    def _misspelt(self, wanted: str, rows: Sequence[int]) -> list[int]:
        """The one title that is close where no other is nearly as close, else none."""
        from rapidfuzz import fuzz, process

        titles = {place: self._plain[place] for place in rows}
        close = process.extract(wanted, titles, scorer=fuzz.ratio, limit=2, score_cutoff=_CLOSE)
        clear = close and (len(close) == 1 or close[0][1] - close[1][1] >= _CLEAR)
        return [close[0][2]] if clear else []

    def _nearest(self, wanted: str, rows: Sequence[int], *, n: int = _NEAREST) -> list[int]:
        from rapidfuzz import fuzz, process

        titles = {place: self._plain[place] for place in rows if self._plain[place]}
        return [place for _, _, place in process.extract(wanted, titles, scorer=fuzz.token_sort_ratio, limit=n)]


def plain(title: str) -> str:
    """Lower case, without accents, punctuation and a leading or trailing article: "Matrix, The" is "matrix"."""
    bare = "".join(sign for sign in unicodedata.normalize("NFKD", title.casefold()) if not unicodedata.combining(sign))
    if moved := _TRAILING.match(bare):
        bare = f"{moved[1]}{moved[3]}"
    words = re.sub(r"[^\w]+", " ", bare).split()
    return " ".join(words[1:] if len(words) > 1 and words[0] in _ARTICLES else words)


def _with_year(text: str) -> tuple[str, int | None]:
    """What a person typed without a year in parentheses at its end, and that year."""
    dated = re.match(r"^(.*\S)\s*\((\d{4})\)\s*$", text)
    return (plain(dated[1]), int(dated[2])) if dated else (plain(text), None)
