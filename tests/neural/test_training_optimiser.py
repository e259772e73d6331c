"""The step: it moves the touched rows as a step over all rows would, and leaves the others alone."""

from __future__ import annotations

import pytest
import torch
from tests.neural.samples import ALONE, network, recipe

from nightreel.neural.feed import Batch
from nightreel.neural.networks.network import Network
from nightreel.neural.spec import Recipe
from nightreel.neural.training.learner import Learner
from nightreel.neural.training.objective import RatingObjective

USERS, ITEMS = torch.tensor([0, 3, 0, 0, 5]), torch.tensor([1, 1, 2, 1, 4])
RATINGS = torch.tensor([4.0, 2.0, 5.0, 3.0, 1.0])
BATCH = Batch(USERS, ITEMS, RATINGS, weight=1.0)


def learner(scorer: Network, settings: Recipe) -> Learner:
    return Learner(RatingObjective(scorer.train(), settings), settings, ALONE, precision="fp32")


def dense_steps(scorer: Network, settings: Recipe, steps: int) -> dict[str, torch.Tensor]:
    """The same by torch's Adagrad and AdamW on dense gradients of the loss, penalty and all."""
    scorer = scorer.train()
    scorer.users.sparse = scorer.items.sparse = False
    tables = scorer.tables()
    dense = [weight for weight in scorer.parameters() if all(weight is not table for table in tables)]
    steppers = [torch.optim.Adagrad(tables, lr=settings.table_rate, eps=1e-10)]
    if dense:
        steppers.append(torch.optim.AdamW(dense, lr=settings.dense_rate, weight_decay=0.0))
    for _ in range(steps):
        scorer.zero_grad()
        users, items = scorer.users(USERS), scorer.items(ITEMS)
        penalty = settings.table_l2 / 2 * (users.square().sum(1) + items.square().sum(1))
        loss = ((scorer(USERS, ITEMS) - RATINGS).square() + penalty).mean()
        loss.backward()
        for stepper in steppers:
            stepper.step()
    return scorer.state_dict()


@pytest.mark.parametrize("name", ["mf", "mf_bias", "deep", "neumf"])
def test_steps_on_rows_are_the_steps_of_dense_adagrad_with_the_penalty_in_the_loss(name: str) -> None:
    settings = recipe(table_l2=0.3)
    stepped = learner(network(name, **({"dropout": 0.0} if name == "neumf" else {})), settings)
    for _ in range(4):
        stepped.learn(BATCH, rate=1.0)
    expected = dense_steps(network(name, **({"dropout": 0.0} if name == "neumf" else {})), settings, steps=4)
    for key, weight in stepped.network.state_dict().items():
        torch.testing.assert_close(weight, expected[key], rtol=1e-4, atol=1e-5)


def test_rows_that_the_batch_does_not_touch_stay_as_they_are() -> None:
    scorer = network("deep")
    before = scorer.users.weight.detach().clone()
    learner(scorer, recipe(table_l2=0.3)).learn(BATCH, rate=1.0)
    moved = (scorer.users.weight != before).any(dim=1)
    assert moved.tolist() == [True, False, False, True, False, True, False]


def test_gradients_of_tables_are_as_long_as_the_batch_and_not_as_the_table() -> None:
    stepped = learner(network("mf"), recipe())
    stepped.learn(BATCH, rate=1.0)
    assert [table.grad._nnz() for table in stepped.network.tables()] == [3, 3]


def test_the_rate_multiplies_the_first_step() -> None:
    """Adagrad's and Adam's first step is the rate itself in the direction of the gradient's sign."""
    for rate in (1.0, 0.25):
        scorer = network("deep")
        before = {name: weight.clone() for name, weight in scorer.state_dict().items()}
        learner(scorer, recipe(table_rate=0.1, dense_rate=0.01)).learn(BATCH, rate=rate)
        after = scorer.state_dict()
        moved = {name: (after[name] - before[name]).abs().max().item() for name in before}
        assert moved["users.weight"] == pytest.approx(0.1 * rate, rel=1e-3)
        assert moved["out.bias"] == pytest.approx(0.01 * rate, rel=1e-3)


def test_clipping_scales_all_gradients_by_one_factor_down_to_the_norm() -> None:
    free, clipped = (learner(network("deep"), recipe(gradient_clip=clip)) for clip in (0.0, 0.5))
    for stepped in (free, clipped):
        stepped.learn(BATCH, rate=1.0)
    whole, cut = (
        torch.cat([weight.grad.to_dense().flatten() for weight in stepped.network.parameters()])
        for stepped in (free, clipped)
    )
    assert whole.norm().item() > 5.0
    assert cut.norm().item() == pytest.approx(0.5, rel=1e-4)
    torch.testing.assert_close(cut, whole * 0.5 / whole.norm())


def test_gradients_within_the_norm_are_left_alone() -> None:
    free, wide = (learner(network("deep"), recipe(gradient_clip=clip)) for clip in (0.0, 1e6))
    for stepped in (free, wide):
        stepped.learn(BATCH, rate=1.0)
    assert torch.equal(free.network.users.weight, wide.network.users.weight)


def test_weight_decay_spares_tables_and_biases() -> None:
    plain, decayed = (learner(network("deep"), recipe(weight_decay=decay)) for decay in (0.0, 10.0))
    before = network("deep").state_dict()
    for stepped in (plain, decayed):
        stepped.learn(BATCH, rate=1.0)
    plain_state, decayed_state = plain.network.state_dict(), decayed.network.state_dict()
    differing = {name for name in before if not torch.equal(plain_state[name], decayed_state[name])}
    assert differing == {"first.layer.weight", "out.weight"}
    shrunk = plain_state["out.weight"] - 0.01 * 10.0 * before["out.weight"]
    torch.testing.assert_close(decayed_state["out.weight"], shrunk)


def test_an_empty_batch_moves_nothing() -> None:
    scorer = network("deep")
    before = {name: weight.clone() for name, weight in scorer.state_dict().items()}
    nothing = torch.empty(0, dtype=torch.int64)
    losses = learner(scorer, recipe(table_l2=0.3)).learn(Batch(nothing, nothing, torch.empty(0), 0.0), rate=1.0)
    assert len(losses) == 0
    assert all(torch.equal(weight, before[name]) for name, weight in scorer.state_dict().items())


def test_going_on_from_a_state_is_as_if_there_had_been_no_break() -> None:
    settings = recipe(table_l2=0.1, weight_decay=0.1)
    whole = learner(network("deep"), settings)
    for _ in range(4):
        whole.learn(BATCH, rate=1.0)
    first = learner(network("deep"), settings)
    for _ in range(2):
        first.learn(BATCH, rate=1.0)
    state = {name: tensor.clone() for name, tensor in first.optimiser.state().items()}
    second = learner(network("deep", seed=9), settings)
    second.network.load_state_dict(first.network.state_dict())
    second.optimiser.restore(state)
    for _ in range(2):
        second.learn(BATCH, rate=1.0)
    for name, weight in whole.network.state_dict().items():
        assert torch.equal(weight, second.network.state_dict()[name]), name


def test_bf16_learns_in_float32_weights() -> None:
    settings = recipe()
    half = Learner(RatingObjective(network("deep").train(), settings), settings, ALONE, precision="bf16")
    full = learner(network("deep"), settings)
    losses, exact = half.learn(BATCH, rate=1.0), full.learn(BATCH, rate=1.0)
    assert losses.dtype == torch.float32
    assert not torch.equal(losses, exact)
    torch.testing.assert_close(losses, exact, rtol=0.1, atol=0.1)
    assert {weight.dtype for weight in half.network.parameters()} == {torch.float32}
