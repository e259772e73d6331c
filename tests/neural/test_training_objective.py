"""Losses in numbers a person can compute; negatives: never seen, evenly drawn, the same for any batch."""

from __future__ import annotations

import math

import pytest
import torch
from tests.neural.samples import network, recipe

from nightreel.neural.networks.tower_networks import Neumf
from nightreel.neural.training.objective import (
    ClippedSquares,
    ImplicitObjective,
    RatingObjective,
    UnseenItems,
    scrambled,
)

ONE_PAIR = torch.zeros(1, dtype=torch.int64)


def scoring(score: float) -> torch.nn.Module:
    """A network that gives user 0 and item 0 this score."""
    scorer = network("mf", rank=1)
    with torch.no_grad():
        scorer.users.weight[0], scorer.items.weight[0] = 1.0, score
    return scorer


@pytest.mark.parametrize(
    ("score", "rating", "squared", "huber"), [(3.5, 3.0, 0.25, 0.125), (6.0, 4.0, 4.0, 1.5), (0.0, 4.0, 16.0, 3.5)]
)
def test_rating_losses(score: float, rating: float, squared: float, huber: float) -> None:
    rows = (ONE_PAIR, ONE_PAIR, torch.tensor([rating]))
    assert RatingObjective(scoring(score), recipe(loss="mse"))(*rows).tolist() == [squared]
    assert RatingObjective(scoring(score), recipe(loss="huber", huber_delta=1.0))(*rows).tolist() == [huber]


@pytest.mark.parametrize(("score", "rating", "loss"), [(6.0, 4.0, 1.0), (0.0, 1.0, 0.0), (4.5, 4.0, 0.25)])
def test_validation_clips_to_the_scale(score: float, rating: float, loss: float) -> None:
    assert ClippedSquares(scoring(score))(ONE_PAIR, ONE_PAIR, torch.tensor([rating])).tolist() == [loss]


def test_training_does_not_clip_so_that_scores_beyond_the_scale_have_a_slope() -> None:
    scorer = scoring(9.0)
    RatingObjective(scorer, recipe())(ONE_PAIR, ONE_PAIR, torch.tensor([5.0])).sum().backward()
    assert scorer.items.weight.grad.to_dense()[0].item() == pytest.approx(8.0)


# Users 0 and 1 of the sample's 7 users and 5 items. User 1 has seen everything.
SEEN = UnseenItems(torch.tensor([0, 0, 1, 1, 1, 1, 1]), torch.tensor([0, 2, 0, 1, 2, 3, 4]), n_users=7, n_items=5)


def implicit(seed: int = 1) -> ImplicitObjective:
    scorer = network("neumf", mode="implicit", negatives=3)
    assert isinstance(scorer, Neumf)
    return ImplicitObjective(scorer, scorer.params, SEEN, seed=seed)


def test_only_liked_rows_have_losses_and_who_has_seen_all_has_no_negatives() -> None:
    objective = implicit()
    users, items = torch.tensor([0, 0, 1]), torch.tensor([0, 2, 3])
    losses = objective(users, items, torch.tensor([5.0, 3.5, 4.0]))
    # Liked are (0, 0) and (1, 3), since min_rating is 4; only user 0 has unseen items left.
    assert len(losses) == 2 + 3
    logits = objective.network(users[[0, 2]], items[[0, 2]])
    torch.testing.assert_close(losses[:2], -torch.nn.functional.logsigmoid(logits))


def test_negatives_lose_what_they_are_taken_for_positives() -> None:
    objective = implicit()
    losses = objective(torch.tensor([0]), torch.tensor([0]), torch.tensor([5.0]))
    _, items = objective.drawn(torch.tensor([0]), torch.tensor([0]))
    assert set(items.tolist()) <= {1, 3, 4}
    logits = objective.network(torch.zeros_like(items), items)
    torch.testing.assert_close(losses[1:], -torch.nn.functional.logsigmoid(-logits))


def test_negatives_change_with_epoch_and_seed_and_not_with_the_batch() -> None:
    objective = implicit()
    users, items = torch.zeros(200, dtype=torch.int64), torch.arange(200) % 5
    _, first = objective.drawn(users, items)
    _, alone = objective.drawn(users[3:4], items[3:4])
    assert torch.equal(first.reshape(200, 3)[3], alone)
    objective.epoch = 1
    assert not torch.equal(objective.drawn(users, items)[1], first)
    assert not torch.equal(implicit(seed=2).drawn(users, items)[1], first)


def test_no_liked_rows_lose_nothing_and_have_a_gradient_of_zero() -> None:
    objective = implicit()
    loss = objective(torch.tensor([0]), torch.tensor([0]), torch.tensor([1.0])).sum()
    loss.backward()
    assert loss.item() == 0.0
    assert all(not weight.grad.to_dense().any() for weight in objective.network.parameters())


def test_an_untrained_logit_of_zero_loses_log_2() -> None:
    objective = implicit()
    with torch.no_grad():
        for weight in objective.network.parameters():
            weight.zero_()
    losses = objective(torch.tensor([0]), torch.tensor([2]), torch.tensor([4.5]))
    assert losses.tolist() == pytest.approx([math.log(2)] * 4)


# User 0 has seen 1 and 3 of five items, user 1 all, user 2 none, user 3 all but 2, user 4 the first and the last.
SEEN_USERS = torch.tensor([0, 0, 1, 1, 1, 1, 1, 3, 3, 3, 3, 4, 4, 0, 0])
SEEN_ITEMS = torch.tensor([3, 1, 4, 2, 0, 1, 3, 0, 1, 3, 4, 4, 0, 3, 1])
UNSEEN = UnseenItems(SEEN_USERS, SEEN_ITEMS, n_users=5, n_items=5)


def test_numbers_in_order_give_the_unseen_items_in_order() -> None:
    rows, items = UNSEEN.draw(torch.tensor([0, 2, 3, 4]), torch.arange(3).expand(4, 3))
    assert rows.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert items.tolist() == [0, 2, 4, 0, 1, 2, 2, 2, 2, 1, 2, 3]


def test_who_has_seen_everything_gets_none() -> None:
    rows, items = UNSEEN.draw(torch.tensor([1, 3, 1]), torch.arange(6).reshape(3, 2))
    assert rows.tolist() == [1, 1]
    assert items.tolist() == [2, 2]


def test_no_users_get_nothing() -> None:
    rows, items = UNSEEN.draw(torch.empty(0, dtype=torch.int64), torch.empty(0, 4, dtype=torch.int64))
    assert len(rows) == len(items) == 0


def test_a_million_draws_hit_no_seen_item_and_all_others_evenly() -> None:
    generator = torch.Generator().manual_seed(1)
    seen = torch.rand(100, 40, generator=generator) < torch.linspace(0.0, 1.0, 100)[:, None]
    unseen = UnseenItems(*seen.nonzero(as_tuple=True), n_users=100, n_items=40)
    users = torch.arange(100).repeat(2_500)
    numbers = scrambled(torch.arange(len(users))[:, None], torch.arange(4))
    rows, items = unseen.draw(users, numbers)
    counts = torch.zeros(100, 40).index_put_((users[rows], items), torch.ones(len(items)), accumulate=True)
    assert not counts[seen].any()
    expected = 10_000 / (~seen).sum(dim=1, keepdim=True)
    spread = (counts - expected) / expected.sqrt()
    assert (~seen).any(dim=1).sum() > 95
    assert spread[~seen].abs().max() < 5.0


def test_scrambled_numbers_are_not_negative_fill_their_range_and_do_not_repeat() -> None:
    numbers = scrambled(torch.arange(1000)[:, None], torch.arange(100), 7)
    assert numbers.min() >= 0
    assert len(numbers.unique()) == 100_000
    shares = torch.bincount((numbers.flatten() >> 60), minlength=8) / 100_000
    torch.testing.assert_close(shares, torch.full((8,), 0.125), rtol=0.0, atol=0.005)


def test_scrambled_numbers_depend_on_each_part_and_on_nothing_else() -> None:
    whole = scrambled(torch.arange(10)[:, None], torch.arange(3), 5)
    assert torch.equal(scrambled(torch.tensor([[4]]), torch.tensor([2]), 5)[0, 0], whole[4, 2])
    assert not (scrambled(torch.arange(10)[:, None], torch.arange(3), 6) == whole).any()


def test_splitmix64_is_the_published_one() -> None:
    # The first output of SplitMix64 from state 0 is 0xE220A8397B1DCDAF; the top bit is dropped.
    assert scrambled(torch.tensor(0)).item() == 0xE220A8397B1DCDAF & (2**63 - 1)
