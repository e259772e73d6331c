"""What networks score before they learn, their hyperparameters, and that scoring in tiles is scoring pair by pair."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.neural.samples import DOMAIN, ITEMS, PARAMS, TEXTS, USERS, all_pairs, network, text_rows

import nightreel
from nightreel.errors import ConfigurationError, DataError
from nightreel.neural.networks.item_text import ItemText
from nightreel.neural.networks.storage import NETWORKS, build
from nightreel.neural.networks.tower_networks import TowerNetwork
from nightreel.neural.spec import PARAMS as TYPES
from nightreel.neural.spec import Domain, checked


def fresh(name: str, *, domain: Domain = DOMAIN, seed: int = 1) -> torch.nn.Module:
    text = ItemText.of_table(text_rows(TEXTS), items=domain.items)
    return build(name, checked(name, PARAMS[name]), domain, seed=seed, text=text).eval()


@pytest.mark.parametrize("name", tuple(NETWORKS))
def test_scores_are_one_float_a_pair_near_the_mean_rating(name: str) -> None:
    scores = fresh(name)(*all_pairs())
    assert scores.shape == (35,) and scores.dtype == torch.float32
    assert abs(scores.mean().item() - DOMAIN.mean) < 0.3


@pytest.mark.parametrize("name", tuple(NETWORKS))
def test_no_pairs_have_no_scores(name: str) -> None:
    nothing = torch.empty(0, dtype=torch.int64)
    assert fresh(name)(nothing, nothing).shape == (0,)


@pytest.mark.parametrize("name", tuple(NETWORKS))
def test_the_seed_alone_decides_the_weights(name: str) -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    once = fresh(name, seed=5).state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(4)
    again, other = fresh(name, seed=5).state_dict(), fresh(name, seed=6).state_dict()
    assert all(torch.equal(once[key], again[key]) for key in once)
    assert not torch.equal(once["users.weight"], other["users.weight"])


def test_mf_starts_at_a_mean_below_zero_too() -> None:
    domain = Domain(users=7, items=5, lowest=-10.0, highest=10.0, mean=-4.0)
    assert abs(fresh("mf", domain=domain)(*all_pairs()).mean().item() + 4.0) < 0.5


@pytest.mark.parametrize("mean", [1.0, 5.0])
def test_ncf_starts_within_the_scale_at_a_mean_at_its_end(mean: float) -> None:
    domain = Domain(users=7, items=5, lowest=1.0, highest=5.0, mean=mean)
    scores = fresh("ncf", domain=domain)(*all_pairs())
    assert ((scores > 1.0) & (scores < 5.0)).all()
    assert abs(scores.mean().item() - mean) < 0.3


def test_ncf_never_leaves_the_scale() -> None:
    scorer = network("ncf")
    with torch.no_grad():
        scorer.users.weight.mul_(1000.0)
    scores = scorer(*all_pairs())
    assert scores.min() >= 1.0 and scores.max() == 5.0 and scores.std() > 0.5


@pytest.mark.parametrize("name", ["mf", "mf_bias"])
def test_factors_are_the_score(name: str) -> None:
    scorer = network(name)
    mean, user_bias, user_vectors, item_bias, item_vectors = scorer.factors()
    by_factors = mean + user_bias[:, None] + item_bias + user_vectors @ item_vectors.T
    torch.testing.assert_close(by_factors.flatten(), scorer(*all_pairs()).detach())
    assert user_vectors.shape == (7, 4) and item_vectors.shape == (5, 4)
    assert not user_vectors.requires_grad


def test_the_bias_of_mf_bias_is_the_mean_at_first() -> None:
    factors = fresh("mf_bias").factors()
    assert factors.mean == 3.5
    assert not factors.user_bias.any() and not factors.item_bias.any()


def test_hybrid_wants_text() -> None:
    with pytest.raises(DataError, match=r"^network hybrid: needs the items' text \(item_idx, terms, weights\)"):
        build("hybrid", checked("hybrid", PARAMS["hybrid"]), DOMAIN, seed=1)


@pytest.mark.parametrize(
    ("name", "change", "complaint"),
    [
        ("nfc", {}, r"network nfc: unknown; did you mean ncf\? known: mf, mf_bias, deep, ncf, neumf, hybrid$"),
        ("mf", {"rnak": 3}, r"network mf: rnak: extra inputs are not permitted$"),
        ("mf", {"rank": 0}, r"network mf: rank: input should be greater than or equal to 1$"),
        ("ncf", {"hidden": []}, r"network ncf: hidden: tuple should have at least 1 item"),
        ("ncf", {"dropout": 1.0}, r"network ncf: dropout: input should be less than 1$"),
        ("deep", {"init_std": 0.0}, r"network deep: init_std: input should be greater than 0$"),
        ("neumf", {"mode": "clicks"}, r"network neumf: mode: input should be 'rating' or 'implicit'$"),
    ],
)
def test_a_wrong_hyperparameter_is_one_line(name: str, change: dict[str, object], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{complaint}"):
        checked(name, PARAMS.get(name, {}) | change)


def test_every_network_has_its_hyperparameters_type() -> None:
    assert tuple(TYPES) == tuple(NETWORKS)


def test_hyperparameters_and_specifications_are_read_without_torch() -> None:
    code = (
        "import sys, nightreel.neural.spec;"
        "sys.exit(any(name in sys.modules for name in ('torch', 'pyspark', 'petastorm')))"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(nightreel.__file__).parents[1])}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0


TOWERS = [("deep", {}), ("ncf", {}), ("neumf", {}), ("neumf", {"mode": "implicit"}), ("hybrid", {})]


@pytest.mark.parametrize(("name", "changes"), TOWERS)
def test_tiles_equal_forward_on_all_pairs(name: str, changes: dict[str, Any]) -> None:
    scorer = network(name, **changes)
    assert isinstance(scorer, TowerNetwork)
    with torch.inference_mode():
        one_by_one = scorer(*all_pairs()).reshape(USERS, ITEMS)
        tile = scorer.score_tile(scorer.user_tower(torch.arange(USERS)), scorer.item_tower(torch.arange(ITEMS)))
    assert one_by_one.std() > 0.1
    torch.testing.assert_close(tile, one_by_one, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("name", "changes"), TOWERS)
def test_a_tile_of_some_is_a_part_of_the_tile_of_all(name: str, changes: dict[str, Any]) -> None:
    scorer = network(name, **changes)
    assert isinstance(scorer, TowerNetwork)
    users, items = torch.tensor([5, 0, 5]), torch.tensor([4, 1])
    with torch.inference_mode():
        some = scorer.score_tile(scorer.user_tower(users), scorer.item_tower(items))
        pairwise = scorer(users.repeat_interleave(2), items.repeat(3)).reshape(3, 2)
    torch.testing.assert_close(some, pairwise, rtol=1e-5, atol=1e-5)


def test_a_hand_computed_deep_score() -> None:
    scorer = network("deep", user_embedding=1, item_embedding=1, hidden=[2])
    assert isinstance(scorer, TowerNetwork)
    with torch.no_grad():
        scorer.users.weight.copy_(torch.tensor([[2.0]]).expand(USERS, 1))
        scorer.items.weight.copy_(torch.tensor([[3.0]]).expand(ITEMS, 1))
        scorer.first.layer.weight.copy_(torch.tensor([[1.0, 1.0], [1.0, -1.0]]))
        scorer.first.layer.bias.copy_(torch.tensor([0.5, 0.25]))
        scorer.out.weight.copy_(torch.tensor([[2.0, 10.0]]))
        scorer.out.bias.copy_(torch.tensor([-1.0]))
        # ReLU(2 + 3 + 0.5) = 5.5 and ReLU(2 - 3 + 0.25) = 0; 2 * 5.5 + 10 * 0 - 1 = 10
        assert scorer(torch.tensor([0]), torch.tensor([0])).tolist() == [10.0]
