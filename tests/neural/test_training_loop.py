"""The loop: the best is kept, patience ends it, a loss that is not finite stops it; learning rates over the steps."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.neural.samples import ALONE, PARAMS, MemoryFeed, Ratings, domain_of, network, recipe, spec, two_tastes

from nightreel.errors import DataError, NightreelError
from nightreel.neural.feed import Batch, Feed
from nightreel.neural.networks.storage import build
from nightreel.neural.spec import checked
from nightreel.neural.training.checkpoint import Checkpoints, Epoch, best_place
from nightreel.neural.training.learner import Learner
from nightreel.neural.training.loop import Loop, is_over, rate_factor, validation_loss
from nightreel.neural.training.objective import ClippedSquares, ImplicitObjective, RatingObjective, UnseenItems


def noise(rows: int, *, seed: int) -> Ratings:
    """Ratings that nothing explains: what is learnt of one part of them harms on the other."""
    generator = torch.Generator().manual_seed(seed)
    users, items = (torch.randint(20, (rows,), generator=generator) for _ in range(2))
    return Ratings(users, items, 1.0 + 4.0 * torch.rand(rows, generator=generator))


def run(feed: Feed, held_out: Feed | None, folder: Path, **changes: Any) -> Loop:
    settings = recipe(**changes)
    domain = domain_of(two_tastes())
    trained = build("mf_bias", checked("mf_bias", PARAMS["mf_bias"]), domain, seed=1)
    loop = Loop(
        Learner(RatingObjective(trained, settings), settings, ALONE, precision="fp32"),
        feed,
        held_out and (ClippedSquares(trained), held_out),
        seed=1,
        checkpoints=Checkpoints(folder / "run", spec(folder), world_size=1),
    )
    loop.run()
    return loop


def test_early_stopping_keeps_the_best_weights_and_not_the_last(tmp_path: Path) -> None:
    held_out = noise(200, seed=2)
    fitted = run(
        MemoryFeed(noise(300, seed=1), 64), MemoryFeed(held_out, 64), tmp_path, epochs=40, patience=3, table_rate=0.3
    )
    losses = [epoch.validation_loss for epoch in fitted.history]
    best = losses.index(min(losses))
    assert len(losses) == best + 1 + 3 < 40
    kept = build("mf_bias", checked("mf_bias", PARAMS["mf_bias"]), domain_of(two_tastes()), seed=2)
    kept.load_state_dict(dict(fitted.best))
    again = validation_loss(ClippedSquares(kept), MemoryFeed(held_out, 64), ALONE)
    assert again == pytest.approx(losses[best], rel=1e-6)
    assert losses[-1] > losses[best] * 1.01


def test_without_validation_all_epochs_are_trained_and_the_last_is_kept(tmp_path: Path) -> None:
    fitted = run(MemoryFeed(noise(300, seed=1), 64), None, tmp_path, epochs=5, patience=1)
    assert [epoch.validation_loss for epoch in fitted.history] == [None] * 5
    losses = [epoch.train_loss for epoch in fitted.history]
    assert losses == sorted(losses, reverse=True)


def test_history_says_how_long_and_how_fast(tmp_path: Path) -> None:
    fitted = run(MemoryFeed(noise(300, seed=1), 64), MemoryFeed(noise(50, seed=2), 64), tmp_path, epochs=2)
    assert [epoch.number for epoch in fitted.history] == [1, 2]
    assert all(epoch.rows_per_second == pytest.approx(300 / epoch.seconds) for epoch in fitted.history)


def test_the_train_loss_is_the_mean_over_rows_and_not_over_steps(tmp_path: Path) -> None:
    """Steps of 64 and 1: with hardly any learning the loss is the mean squared error of all 65 rows."""
    rows = noise(65, seed=1)
    untrained = build("mf_bias", checked("mf_bias", PARAMS["mf_bias"]), domain_of(two_tastes()), seed=1)
    expected = float((untrained(rows.users, rows.items) - rows.ratings).square().mean().detach())
    fitted = run(MemoryFeed(rows, 64), None, tmp_path, epochs=1, table_rate=1e-9, dense_rate=1e-9)
    assert fitted.history[0].train_loss == pytest.approx(expected, rel=1e-5)


class Spoilt(MemoryFeed):
    """One rating of epoch 2, step 3 is not a number."""

    def epoch(self, number: int) -> Iterator[Batch]:
        for step, batch in enumerate(super().epoch(number)):
            if (number, step) == (1, 2):
                batch.ratings[7] = math.nan
            yield batch


def test_a_loss_that_is_no_number_names_epoch_and_step(tmp_path: Path) -> None:
    with pytest.raises(
        NightreelError, match=r"^epoch 2, step 3 of 10: the loss is not a finite number; lower "
    ) as said:
        run(Spoilt(noise(640, seed=1), 64), None, tmp_path)
    assert "\n" not in str(said.value)


def test_rates_that_explode_are_found_within_the_epoch(tmp_path: Path) -> None:
    with pytest.raises(NightreelError, match=r"^epoch 1, step \d+ of 10: the loss is not a finite number"):
        run(MemoryFeed(noise(640, seed=1), 64), None, tmp_path, table_rate=1e30)


def test_the_checkpoint_of_the_epoch_before_outlives_a_loss_that_is_no_number(tmp_path: Path) -> None:
    with pytest.raises(NightreelError):
        run(Spoilt(noise(640, seed=1), 64), None, tmp_path)
    found = Checkpoints(tmp_path / "run", spec(tmp_path), world_size=1).last()
    assert found is not None and len(found.history) == 1


def test_progress_is_a_line_an_epoch_and_one_every_few_seconds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(10_000))
    monkeypatch.setattr("nightreel.neural.training.loop.time.monotonic", lambda: float(next(clock)))
    run(MemoryFeed(noise(640, seed=1), 64), MemoryFeed(noise(60, seed=2), 64), tmp_path, epochs=2)
    said = capsys.readouterr()
    assert said.out == ""
    lines = said.err.splitlines()
    within = [line for line in lines if "step" in line]
    # A step takes two readings of the clock: one of the line's, one of the loop's epoch apart.
    pattern = r"mf_bias epoch \d of 2, step \d+ of 10: loss \d\.\d{4}, \d+ rows/s, at most \d+ s left"
    assert 2 <= len(within) <= 6 and all(re.fullmatch(pattern, line) for line in within)
    assert [line for line in lines if line not in within] == [
        line for line in lines if re.match(r"mf_bias epoch \d of 2: loss \d\.\d{4}, validation loss \d\.\d{4}, ", line)
    ]


def test_validation_leaves_dropout_out_and_the_network_in_training() -> None:
    scorer = network("ncf", dropout=0.5).train()
    rows = Ratings(torch.arange(7), torch.arange(7) % 5, torch.full((7,), 3.0))
    once, again = (validation_loss(ClippedSquares(scorer), MemoryFeed(rows, 3), ALONE) for _ in range(2))
    assert once == again
    assert scorer.training
    with torch.inference_mode():
        scores = network("ncf", dropout=0.5)(rows.users, rows.items).clamp(1.0, 5.0)
    assert once == pytest.approx(float((scores - 3.0).square().mean()))


def test_an_implicit_validation_without_positives_says_so() -> None:
    scorer = network("neumf", mode="implicit")
    unseen = UnseenItems(torch.tensor([0]), torch.tensor([0]), n_users=7, n_items=5)
    rows = Ratings(torch.tensor([0, 1]), torch.tensor([0, 1]), torch.tensor([1.0, 3.9]))
    with pytest.raises(DataError, match=r"^no validation row is a positive; lower the network's min_rating"):
        validation_loss(ImplicitObjective(scorer, scorer.params, unseen, seed=1), MemoryFeed(rows, 8), ALONE)


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
