"""Learning rates over the steps, and when a training is over."""

from __future__ import annotations

import pytest
from tests.neural.training_samples import recipe

from nightreel.neural.training.checkpoint import Epoch, best_place
from nightreel.neural.training.loop import is_over, rate_factor


def factors(steps: range, *, losses: list[float | None] | None = None, **changes: object) -> list[float]:
    settings = recipe(epochs=2, **changes)
    return [rate_factor(settings, step=step, steps_an_epoch=5, losses=losses or []) for step in steps]


def test_constant_is_the_rate_itself() -> None:
    assert factors(range(10), schedule="constant") == [1.0] * 10


def test_warm_up_rises_by_equal_steps_to_the_rate() -> None:
    assert factors(range(5), schedule="constant", warmup_steps=3) == [0.25, 0.5, 0.75, 1.0, 1.0]


def test_cosine_falls_from_the_rate_to_zero_over_all_epochs() -> None:
    fallen = factors(range(11), schedule="cosine")
    assert fallen[0] == 1.0
    assert fallen[5] == pytest.approx(0.5)
    assert fallen[10] == pytest.approx(0.0)
    assert fallen == sorted(fallen, reverse=True)


@pytest.mark.parametrize(
    ("losses", "factor"),
    [([], 1.0), ([0.9], 1.0), ([0.9, 0.8], 1.0), ([0.9, 0.95], 0.5), ([0.9, 0.9], 0.5), ([0.9, 0.95, 0.92, 0.8], 0.25)],
)
def test_plateau_halves_for_each_epoch_that_bettered_nothing(losses: list[float | None], factor: float) -> None:
    assert factors(range(1), schedule="plateau", losses=losses) == [factor]


def history(*losses: float | None) -> list[Epoch]:
    return [
        Epoch(number=place + 1, train_loss=1.0, validation_loss=loss, seconds=1.0, rows_per_second=1.0)
        for place, loss in enumerate(losses)
    ]


@pytest.mark.parametrize(
    ("losses", "patience", "over"),
    [
        ((), 2, False),
        ((0.9, 0.8, 0.7), 2, False),
        ((0.9, 0.8, 0.81), 2, False),
        ((0.9, 0.8, 0.81, 0.8), 2, True),
        ((0.9, 0.8, 0.81, 0.79), 2, False),
        ((0.9, 0.91, 0.92, 0.93), 0, False),
        ((0.9, 0.8, 0.7, 0.6, 0.5), 2, True),
        ((None, None, None), 2, False),
        ((None,) * 5, 2, True),
    ],
)
def test_a_training_ends_with_its_epochs_or_its_patience(
    losses: tuple[float | None, ...], patience: int, over: bool
) -> None:
    assert is_over(history(*losses), recipe(epochs=5, patience=patience)) is over


def test_the_epoch_to_keep_is_the_first_of_the_lowest_loss_or_the_last_without_validation() -> None:
    assert best_place(history(0.9, 0.7, 0.8, 0.7)) == 1
    assert best_place(history(None, None, None)) == 2
