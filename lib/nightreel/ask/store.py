"""Answers for one person at a time, from the Delta tables: lists, similar items, reasons, somebody new."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from nightreel.ask.items import Item, Items
from nightreel.ask.people import Id, known_user, new_history, seen_by
from nightreel.ask.trained import find, runs_of, similar_to, trained_model
from nightreel.errors import CapabilityError, ConfigurationError, DataError
from nightreel.models.forms.arrays import ArrayModel, Explanation, Lists, Ratings
from nightreel.models.run import Run
from nightreel.tables.schemas import EPOCH_METRICS, SCHEMAS
from nightreel.tables.snapshot import Snapshot
from nightreel.tables.sql import sql_text

_REASONS = 2
"""Rated items that a list names for each of its own."""


class Suggestion(NamedTuple):
    """A place of a list; why: titles of the person's items that count most for it."""

    rank: int
    item_id: Id
    title: str
    score: float
    why: Sequence[str]


class SimilarItem(NamedTuple):
    """An item that is similar to another; similarity: the cosine of two vectors, or a weight between two items."""

    rank: int
    item_id: Id
    title: str
    similarity: float
    n_ratings: int


class Reason(NamedTuple):
    """What a rating of the person's gives to a score."""

    item_id: Id
    title: str
    rating: float
    amount: float


class Why(NamedTuple):
    """Why an item has its score: score = base + the amounts of all reasons + rest; how: what the amounts are."""

    title: str
    model: str
    run_id: str
    score: float
    base: float
    rest: float
    how: str
    reasons: Sequence[Reason]


class Answer(NamedTuple):
    """A list, and which run made it."""

    model: str
    run_id: str
    run_date: date
    suggestions: Sequence[Suggestion]


class TableState(NamedTuple):
    """A table as it is; rows by its log."""

    name: str
    grain: str
    rows: int
    version: int


class Store:
    """One dataset's tables, open for questions.

    Items are named by their id or their title (see Items.find), users by their id, models by a name of the registry;
    without a name the model answers that made the newest published lists. Nothing here starts Spark.

    Every question raises ConfigurationError for an unknown user, title, run or model, and names the nearest.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot

    @cached_property
    def items(self) -> Items:
        return Items(self.snapshot)

    def recommend(self, user: Id, *, n: int = 10, model: str | None = None, run_id: str | None = None) -> Answer:
        """The n best items of a user, without those it has rated: the published list, or one made now.

        Parameters
        ----------
        n : more than the published list has makes one anew
        model, run_id : a list made now by this model's newest run, or by this run
        """
        published = [] if model or run_id else self._published(user)[:n]
        if len(published) >= n and self.serving is not None:
            run = find(self.snapshot, run_id=self.serving[0], is_current=False)
            return Answer(run.model, run.run_id, self.serving[1], self._with_reasons(run, user, published))
        user_idx, ratings = known_user(self.snapshot, user, n_items=self.items.size)
        run = self._run(model, run_id)
        trained = self._trained(run, ratings, user_idx)
        chosen = _best(trained, seen_by(self.snapshot, user_idx), n)
        return Answer(run.model, run.run_id, run.run_date, self._suggestions(trained, ratings, chosen))

    def _with_reasons(self, run: Run, user: Id, published: Sequence[Mapping[str, Any]]) -> list[Suggestion]:
        """A published list; reasons where the run's indices are still the silver tables', and not by torch."""
        by_id = self.items.idx_by_id
        trained, ratings = None, None
        if run.form != "network" and run.prepare_id == self.snapshot.stamp("silver_users"):
            user_idx, ratings = known_user(self.snapshot, user, n_items=self.items.size)
            trained = self._trained(run, ratings, user_idx)
        found = []
        for row in published:
            known, why = by_id.get(row["item_id"]), list[str]()
            if trained is not None and ratings is not None and known is not None:
                why = self._why(trained, ratings, known)
            title = self.items[known].name if known is not None else row["title"] or f"item {row['item_id']}"
            found.append(Suggestion(row["rank"], row["item_id"], title, row["score"], why))
        return found

    def rate(
        self, ratings: Mapping[Id, float] | None = None, *, like: Sequence[Id] = (), dislike: Sequence[Id] = (),
        n: int = 10, model: str | None = None, run_id: str | None = None,
    ) -> Answer:  # fmt: skip
        """The n best items of somebody new, who is folded in: no training.

        Parameters
        ----------
        ratings : by item, on the data's scale
        like, dislike : items that get the highest and the lowest rating there is

        Raises
        ------
        ConfigurationError : nothing is rated, something twice, or the model cannot add users
        """
        history = new_history(self.snapshot, self.items, ratings or {}, like=like, dislike=dislike)
        run = self._run(model, run_id)
        trained = self._trained(run, history, None)
        seen = Lists(np.array([0, len(history)]), history.item_idx, history.rating)
        return Answer(run.model, run.run_id, run.run_date, self._suggestions(trained, history, _best(trained, seen, n)))

    def similar(
        self, item: Id, *, n: int = 10, model: str | None = None, run_id: str | None = None
    ) -> Sequence[SimilarItem]:
        """The items most similar to one: the published ones, or those by the model or run that is named."""
        wanted = self.items.find(item)
        published = [] if model or run_id else self._published_similar(wanted.item_id)[:n]
        if len(published) >= n:
            by_id = self.items.idx_by_id
            found = [(by_id[item_id], similarity) for item_id, similarity in published if item_id in by_id]
        else:
            found = list(similar_to(self.snapshot, self._run(model, run_id), wanted.item_idx, n=n))
        named = [(self.items[item_idx], similarity) for item_idx, similarity in found]
        return [
            SimilarItem(rank, near.item_id, near.name, similarity, near.n_ratings)
            for rank, (near, similarity) in enumerate(named, 1)
        ]

    def explain(self, user: Id, item: Id, *, model: str | None = None, run_id: str | None = None) -> Why:
        """Why the item has its score for the user; reasons: all the user's ratings that count, the largest first.

        Exact for factors, by neighbours for neighbour models, by ablation for networks; `how` says which.
        """
        user_idx, ratings = known_user(self.snapshot, user, n_items=self.items.size)
        run, wanted = self._run(model, run_id), self.items.find(item)
        trained = self._trained(run, ratings, user_idx)
        with _named(run):
            explained = trained.explain(0, wanted.item_idx, ratings)
        return Why(
            title=wanted.name,
            model=run.model,
            run_id=run.run_id,
            score=explained.score,
            base=explained.base,
            rest=explained.rest,
            how=explained.how,
            reasons=self._reasons(explained, ratings),
        )

    def liked(self, user: Id, *, n: int = 10) -> Sequence[tuple[Item, float]]:
        """A user's highest ratings, of equal ones those of items that fewer have rated first."""
        _, ratings = known_user(self.snapshot, user, n_items=self.items.size)
        rated = [
            (self.items[item], rating)
            for item, rating in zip(ratings.item_idx.tolist(), ratings.rating.tolist(), strict=True)
        ]
        return sorted(rated, key=lambda pair: (-pair[1], pair[0].n_ratings))[:n]

    def popular(self, *, n: int = 10) -> Sequence[Item]:
        """The items with the most ratings."""
        return self.items.most_rated(n=n)

    def best(self, *, n: int = 10, prior: float | None = None) -> Sequence[tuple[Item, float]]:
        """The items with the best weighted mean (see Items.best)."""
        return self.items.best(n=n, prior=prior)

    def search(self, text: str, *, n: int = 10) -> Sequence[Item]:
        """The items that hold the words in title, genres or overview; then close titles."""
        return self.items.search(text, n=n)

    def runs(self) -> Sequence[Run]:
        """The finished runs, the newest first."""
        return runs_of(self.snapshot)

    def metrics(self, *, model: str | None = None, run_id: str | None = None) -> Sequence[Mapping[str, Any]]:
        """Rows of gold_metrics without those of epochs, the newest run date first."""
        given = [f"{name} = {sql_text(value)}" for name, value in (("model", model), ("run_id", run_id)) if value]
        where = " AND ".join([f"NOT {EPOCH_METRICS}", *given])
        order = "run_date DESC, model, run_id, split, metric"
        return self.snapshot.dicts("gold_metrics", where=where, order=order)

    def tables(self) -> Sequence[TableState]:
        """The tables there are."""
        snapshot = self.snapshot
        return [
            TableState(name, SCHEMAS[name].grain, snapshot.count(name), snapshot.version(name))
            for name in snapshot.tables
        ]

    def _run(self, model: str | None, run_id: str | None) -> Run:
        """The run asked for; by default the one whose lists are published."""
        if model is None and run_id is None:
            if self.serving is None:
                raise ConfigurationError("no lists are published, so that no model is chosen: name one with --model")
            run_id = self.serving[0]
        return find(self.snapshot, run_id=run_id, model=model)

    @cached_property
    def serving(self) -> tuple[str, date] | None:
        """The run and the date of the lists that serve: the champion's, else the newest."""
        columns, found = ("run_id", "run_date"), list[dict[str, Any]]()
        if self.snapshot.exists("gold_champion"):
            where, order = "purpose = 'lists'", "decided_at DESC LIMIT 1"
            found = self.snapshot.dicts("gold_champion", columns, where=where, order=order)
        if not found and self.snapshot.exists("gold_recommendations"):
            newest = "run_date = (SELECT max(run_date) FROM rows) LIMIT 1"
            found = self.snapshot.dicts("gold_recommendations", columns, where=newest)
        return (found[0]["run_id"], found[0]["run_date"]) if found else None

    def _published(self, user: Id) -> list[dict[str, Any]]:
        literal_id = self.snapshot.id_literal("gold_recommendations", "user_id", user)
        if self.serving is None or literal_id is None:
            return []
        run_id, run_date = self.serving
        where = f"run_id = {sql_text(run_id)} AND run_date = DATE '{run_date}' AND user_id = {literal_id}"
        return self.snapshot.dicts("gold_recommendations", where=where, order="rank")

    def _published_similar(self, item: Id) -> list[tuple[Id, float]]:
        if self.serving is None or not self.snapshot.exists("gold_similar_items"):
            return []
        run_id, run_date = self.serving
        literal_id = self.snapshot.id_literal("gold_similar_items", "item_id", item)
        where = f"run_id = {sql_text(run_id)} AND run_date = DATE '{run_date}' AND item_id = {literal_id}"
        columns = ("similar_item_id", "similarity")
        rows = self.snapshot.dicts("gold_similar_items", columns, where=where, order="rank")
        return [(row["similar_item_id"], row["similarity"]) for row in rows]

    def _trained(self, run: Run, ratings: Ratings, user_idx: int | None) -> ArrayModel:
        with _named(run):
            return trained_model(self.snapshot, run, n_items=self.items.size, ratings=ratings, user_idx=user_idx)

    def _suggestions(
        self, trained: ArrayModel, ratings: Ratings, chosen: Sequence[tuple[int, float]]
    ) -> list[Suggestion]:
        found = []
        for rank, (item_idx, score) in enumerate(chosen, 1):
            item = self.items[item_idx]
            found.append(Suggestion(rank, item.item_id, item.name, score, self._why(trained, ratings, item_idx)))
        return found

    def _why(self, trained: ArrayModel, ratings: Ratings, item_idx: int) -> list[str]:
        """The titles that count most for an item; none where the model has no explanation, or a slow one."""
        if trained.slow_to_explain:
            return []
        try:
            explained = trained.explain(0, item_idx, ratings)
        except CapabilityError:
            return []
        return [reason.title for reason in self._reasons(explained, ratings)[:_REASONS] if reason.amount > 0]

    def _reasons(self, explained: Explanation, ratings: Ratings) -> list[Reason]:
        given = dict(zip(ratings.item_idx.tolist(), ratings.rating.tolist(), strict=True))
        order = np.argsort(-explained.amounts, kind="stable").tolist()
        items = explained.items.tolist()
        return [
            Reason(item.item_id, item.name, given[items[place]], float(explained.amounts[place]))
            for place in order
            for item in (self.items[items[place]],)
        ]


@contextmanager
def _named(run: Run) -> Iterator[None]:
    """Errors say which run it is."""
    try:
        with run.being_read():
            yield
    except CapabilityError as error:
        raise CapabilityError(f"run {run.run_id}, model {run.model}: {error}; name another with --model") from None


def _best(trained: ArrayModel, seen: Lists, n: int) -> list[tuple[int, float]]:
    """(item_idx, score) of user 0's n best items."""
    if n < 1:
        raise ConfigurationError(f"n = {n}: must be 1 or more")
    ranked = trained.recommend(np.array([0]), n=n, seen=seen)
    if not len(ranked.item_idx):
        raise DataError("the model ranks nothing for this user")
    return list(zip(ranked.item_idx.tolist(), ranked.score.tolist(), strict=True))


def open_store(root: str, dataset: str | None = None) -> Store:
    """The tables under a folder, open for questions.

    Parameters
    ----------
    root : tables.root of the jobs
    dataset : tables.dataset; None: the only one there is

    Raises
    ------
    ConfigurationError : there are no tables, or those of several datasets
    """
    return Store(Snapshot(root, dataset))
