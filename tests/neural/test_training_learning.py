"""Every network learns what is planted, and what it learns serves pairs that it has not seen."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tests.neural.samples import ALONE, PARAMS, MemoryFeed, Ratings, domain_of, recipe, text_rows, two_tastes

from nightreel.neural.networks.item_text import ItemText
from nightreel.neural.networks.network import Network
from nightreel.neural.networks.storage import NETWORKS, build
from nightreel.neural.networks.tower_networks import Neumf
from nightreel.neural.spec import checked
from nightreel.neural.training.learner import Learner
from nightreel.neural.training.objective import ImplicitObjective, Objective, RatingObjective, UnseenItems

SIZES = PARAMS | {
    # Its vectors start in one direction, and with little spread they would stay there for long.
    "mf": PARAMS["mf"] | {"init_std": 0.5},
    "ncf": PARAMS["ncf"] | {"dropout": 0.0},
    "hybrid": PARAMS["hybrid"] | {"dropout": 0.0},
}


def untrained(name: str, rows: Ratings, *, text: ItemText | None = None, **changes: Any) -> Network[Any]:
    if name == "hybrid" and text is None:
        text = ItemText.of_table(text_rows({0: {0: 1.0}}), items=30)
    return build(name, checked(name, SIZES[name] | changes), domain_of(rows), seed=1, text=text)


def trained(objective: Objective, rows: Ratings, *, epochs: int, **changes: Any) -> Network[Any]:
    settings = recipe(**changes)
    learner, feed = Learner(objective, settings, ALONE, precision="fp32"), MemoryFeed(rows, 64, shuffle=True)
    for epoch in range(epochs):
        objective.epoch = epoch
        for batch in feed.epoch(epoch):
            learner.learn(batch, rate=1.0)
    return objective.network.eval()


def rmse(network: Network[Any], rows: Ratings) -> float:
    with torch.inference_mode():
        return float((network(rows.users, rows.items) - rows.ratings).square().mean().sqrt())


@pytest.mark.parametrize("name", tuple(NETWORKS))
def test_finds_two_tastes_in_which_the_mean_is_wrong_by_two_stars(name: str) -> None:
    rows = two_tastes()
    held_out, train = rows[:200], rows[200:]
    network = trained(RatingObjective(untrained(name, train), recipe()), train, epochs=40)
    assert float((held_out.ratings - train.ratings.mean()).square().mean().sqrt()) > 1.9
    assert rmse(network, held_out) < 0.3


def test_mf_recovers_a_rank_one_matrix_to_a_thousandth() -> None:
    generator = torch.Generator().manual_seed(1)
    of_users, of_items = 1.0 + torch.rand(30, generator=generator), 1.0 + torch.rand(20, generator=generator)
    pairs = torch.randperm(600, generator=generator)
    users, items = pairs // 20, pairs % 20
    rows = Ratings(users, items, of_users[users] * of_items[items])
    network = trained(RatingObjective(untrained("mf", rows, rank=1), recipe()), rows[120:], epochs=150)
    with torch.inference_mode():
        errors = network(users[:120], items[:120]) - rows.ratings[:120]
    assert errors.abs().max() < 1e-3


def test_mf_bias_recovers_biases_without_vectors_to_speak_of() -> None:
    users, items = torch.arange(20).repeat_interleave(15), torch.arange(15).repeat(20)
    rows = Ratings(users, items, 2.0 + users / 20 + items / 15)
    network = trained(RatingObjective(untrained("mf_bias", rows, init_std=1e-6), recipe()), rows, epochs=60)
    assert rmse(network, rows) < 0.01


def test_hybrid_knows_items_that_no_one_has_rated_by_their_text() -> None:
    """Even items are about ships, odd ones about horses; the last ten are rated in no training row."""
    rows = two_tastes()
    texts = {item: {item % 2: 1.0} for item in range(30)}
    known = rows.items < 20
    train, new = rows[known], rows[~known]
    text = ItemText.of_table(text_rows(texts), items=30)
    untold = build("hybrid", checked("hybrid", SIZES["hybrid"]), domain_of(rows), seed=1, text=text)
    network = trained(RatingObjective(untold, recipe()), train, epochs=8, table_l2=0.01)
    assert rmse(network, new) < 0.6


def test_neumf_tells_liked_items_from_unseen_ones() -> None:
    rows = two_tastes()
    held_out, train = rows[:200], rows[200:]
    network = untrained("neumf", train, mode="implicit", dropout=0.0)
    assert isinstance(network, Neumf)
    liked = train.ratings >= 4.0
    unseen = UnseenItems(train.users[liked], train.items[liked], n_users=40, n_items=30)
    trained(ImplicitObjective(network, network.params, unseen, seed=1), train, epochs=8)
    with torch.inference_mode():
        logits = network(held_out.users, held_out.items)
    good, bad = logits[held_out.ratings == 5.0], logits[held_out.ratings == 1.0]
    # The held-out good ones were drawn as negatives now and then, the bad ones four times as often.
    assert (good[:, None] > bad).float().mean() > 0.95


@pytest.mark.parametrize("name", ["ncf", "neumf"])
def test_the_same_seed_gives_the_same_bits(name: str) -> None:
    rows = two_tastes()
    weights = []
    for _ in range(2):
        torch.manual_seed(4)
        network = trained(RatingObjective(untrained(name, rows, dropout=0.3), recipe()), rows, epochs=2)
        weights.append(network.state_dict())
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])
