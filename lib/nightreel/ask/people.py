"""Whom a question is about: a user of the tables with its ratings, or somebody new. In every model they are user 0."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nightreel.ask.items import Items
from nightreel.errors import ConfigurationError
from nightreel.models.forms.arrays import Lists, Ratings, lists_of
from nightreel.tables.snapshot import Snapshot
from nightreel.tables.sql import sql_text

Id = int | str
_SHOWN = 5


def known_user(snapshot: Snapshot, user: Id, *, n_items: int) -> tuple[int, Ratings]:
    """The user's index, and the ratings it was trained on.

    Raises
    ------
    ConfigurationError : the user is unknown; names the nearest ids
    """
    wanted = snapshot.id_literal("silver_users", "user_id", user)
    rows = snapshot.rows("silver_users", where=f"user_id = {wanted}") if wanted is not None else None
    if rows is None or not rows.num_rows:
        near = ", ".join(map(str, _nearest(snapshot, str(user))))
        raise ConfigurationError(f"user {user}: unknown, or has too few ratings; there are: {near}")
    user_idx = rows["user_idx"][0].as_py()
    where = f"split = 'train' AND user_idx = {user_idx}"
    rated = snapshot.rows("silver_interactions", ("item_idx", "rating"), where=where)
    if not rated.num_rows:
        raise ConfigurationError(f"user {user}: has no ratings to train on")
    return user_idx, _alone(rated["item_idx"].to_numpy(), rated["rating"].to_numpy(), n_items)


def _nearest(snapshot: Snapshot, begins: str) -> list[Id]:
    """Some ids that begin as this one does, as far as any do."""
    while True:
        where = f"CAST(user_id AS string) LIKE {sql_text(begins.replace('%', '') + '%')} LIMIT {_SHOWN}"
        near = [row["user_id"] for row in snapshot.dicts("silver_users", ("user_id",), where=where)]
        if near or not begins:
            return near
        begins = begins[:-1]


def seen_by(snapshot: Snapshot, user_idx: int) -> Lists:
    """The items that a user has rated, in any split."""
    ids = snapshot.rows("silver_interactions", ("item_idx",), where=f"user_idx = {user_idx}")["item_idx"].to_numpy()
    return lists_of(np.zeros(len(ids), np.int64), ids, np.ones(len(ids)), n_rows=1)


def new_history(
    snapshot: Snapshot, items: Items, ratings: Mapping[Id, float], *, like: Sequence[Id], dislike: Sequence[Id]
) -> Ratings:
    """The ratings of somebody new.

    Parameters
    ----------
    ratings : by item
    like, dislike : items that get the highest and the lowest rating there is

    Raises
    ------
    ConfigurationError : nothing is rated, something twice, or outside the scale
    """
    lowest, highest = snapshot.extremes("silver_interactions", "rating")
    rated: dict[int, float] = {}
    given = [*ratings.items(), *((item, highest) for item in like), *((item, lowest) for item in dislike)]
    for named, rating in given:
        item = items.find(named)
        if item.item_idx in rated:
            raise ConfigurationError(f"{named}: is rated twice")
        if not lowest <= rating <= highest:
            raise ConfigurationError(f"{named}: rating {rating:g} is not from {lowest:g} to {highest:g}")
        rated[item.item_idx] = float(rating)
    if not rated:
        raise ConfigurationError("nothing is rated: name at least one title that is liked")
    return _alone(np.array([*rated]), np.array([*rated.values()]), items.size)


def _alone(items: Any, ratings: Any, n_items: int) -> Ratings:
    return Ratings.of(np.zeros(len(items), np.int32), items, ratings, n_users=1, n_items=n_items)
