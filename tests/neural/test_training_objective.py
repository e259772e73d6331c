"""What rows lose, in numbers a person can compute."""

from __future__ import annotations

import math

import pytest
import torch
from tests.neural.network_samples import network
from tests.neural.training_samples import recipe

from nightreel.neural.networks.tower_networks import Neumf
from nightreel.neural.training.objective import ClippedSquares, ImplicitObjective, RatingObjective, UnseenItems

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
