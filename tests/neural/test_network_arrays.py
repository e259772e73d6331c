"""A trained network for one person: its own users, somebody who is added, and reasons by ablation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.neural.samples import DOMAIN, ITEMS, USERS, network

from nightreel.errors import DataError
from nightreel.models.forms.arrays import Lists, Ratings, Side
from nightreel.models.forms.network_arrays import NetworkArrays, digest_of, network_arrays
from nightreel.neural.networks.storage import save_network

NAMES = ("deep", "ncf", "neumf", "hybrid")
EVERY_ITEM = np.arange(ITEMS)
NOTHING_SEEN = Lists(np.array([0, 0]), np.empty(0, np.int32), np.empty(0, np.float32))


def spread_out(name: str) -> torch.nn.Module:
    """A network whose users differ."""
    scorer = network(name)
    with torch.no_grad():
        scorer.users.weight.mul_(20.0)
        scorer.items.weight.mul_(5.0)
    return scorer


def for_user(name: str, folder: Path, user: int | None) -> NetworkArrays:
    save_network(spread_out(name), folder)
    can = ["predict", "recommend", "similar"]
    header = {"folder": str(folder), "digest": digest_of(str(folder)), "table_l2": 1e-4, "global_mean": 3.5}
    users = Side.of(np.full(0 if user is None else 1, 3.5, np.float32))
    items = Side.of(np.full(ITEMS, 3.5, np.float32))
    return network_arrays(header | {"capabilities": can}, users=users, items=items, user_idx=user)


def scores_of(name: str, user: int) -> np.ndarray:
    pairs = torch.full((ITEMS,), user), torch.arange(ITEMS)
    with torch.inference_mode():
        return np.asarray(spread_out(name)(*pairs).numpy())


@pytest.mark.parametrize("name", NAMES)
def test_a_trained_user_is_scored_and_ranked_as_by_the_network(name: str, tmp_path: Path) -> None:
    model = for_user(name, tmp_path, 4)
    expected = scores_of(name, 4)
    predicted = model.predict(np.zeros(ITEMS, np.int64), EVERY_ITEM)
    assert predicted.prediction == pytest.approx(expected, abs=1e-5) and not predicted.cold.any()
    ranked = model.recommend(np.array([0]), n=3, seen=NOTHING_SEEN)
    assert ranked.item_idx.tolist() == np.argsort(-expected, kind="stable")[:3].tolist()


@pytest.mark.parametrize("name", NAMES)
def test_an_added_user_is_fitted_to_its_ratings(name: str, tmp_path: Path) -> None:
    """They are those of a user whom the network knows, and the others are predicted as for that user."""
    model, given = for_user(name, tmp_path, None), scores_of(name, 2)
    ratings = Ratings.of(np.zeros(ITEMS, np.int64), EVERY_ITEM, given)
    added = model.with_users(ratings)
    errors = added.predict(np.zeros(ITEMS, np.int64), EVERY_ITEM).prediction - given
    of_average = np.array([model._score_of_average(item) for item in EVERY_ITEM]) - given
    assert np.abs(errors).mean() < 0.5 * np.abs(of_average).mean()


@pytest.mark.parametrize("name", ["deep", "neumf"])
def test_reasons_by_ablation_sum_to_the_score_with_the_rest(name: str, tmp_path: Path) -> None:
    model = for_user(name, tmp_path, 4)
    ratings = Ratings.of(np.zeros(4, np.int64), EVERY_ITEM[:4], scores_of(name, 4)[:4], n_items=ITEMS)
    found = model.explain(0, 4, ratings)
    assert sorted(found.items.tolist()) == [0, 1, 2, 3]
    assert found.base + found.amounts.sum() + found.rest == pytest.approx(found.score)
    assert found.score == pytest.approx(scores_of(name, 4)[4], abs=1e-5)
    assert found.how.startswith("by ablation")


def test_weights_of_another_training_are_refused(tmp_path: Path) -> None:
    for_user("deep", tmp_path, 1)
    header = {"folder": str(tmp_path), "digest": "another", "table_l2": 0.0, "global_mean": 3.5, "capabilities": []}
    nobody = Side.of(np.empty(0, np.float32))
    with pytest.raises(DataError, match="holds the weights of another training"):
        network_arrays(header, users=nobody, items=nobody, user_idx=None)
    assert DOMAIN.users == USERS
