"""Scoring in tiles is scoring pair by pair."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tests.neural.network_samples import ITEMS, USERS, all_pairs, network

from nightreel.neural.networks.tower_networks import TowerNetwork

NETWORKS = [("deep", {}), ("ncf", {}), ("neumf", {}), ("neumf", {"mode": "implicit"}), ("hybrid", {})]


@pytest.mark.parametrize(("name", "changes"), NETWORKS)
def test_tiles_equal_forward_on_all_pairs(name: str, changes: dict[str, Any]) -> None:
    scorer = network(name, **changes)
    assert isinstance(scorer, TowerNetwork)
    with torch.inference_mode():
        one_by_one = scorer(*all_pairs()).reshape(USERS, ITEMS)
        tile = scorer.score_tile(scorer.user_tower(torch.arange(USERS)), scorer.item_tower(torch.arange(ITEMS)))
    assert one_by_one.std() > 0.1
    torch.testing.assert_close(tile, one_by_one, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("name", "changes"), NETWORKS)
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
