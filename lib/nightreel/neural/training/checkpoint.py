"""The history of a training, and its checkpoints: written after each epoch, to resume from after a kill."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from nightreel.errors import ConfigurationError, DataError
from nightreel.neural.networks.storage import sync, write_tensors, write_text
from nightreel.neural.spec import TrainingSpec
from nightreel.settings.sections import PositiveInt, Section


class Epoch(Section):
    """One epoch, over all ranks."""

    number: PositiveInt
    train_loss: float
    """Mean loss of the epoch's entries, each as its step found it."""
    validation_loss: float | None
    """Mean squared error of the clipped predictions, or cross-entropy in the implicit mode; None without validation."""
    seconds: float
    """Of training, without validation and checkpoint."""
    rows_per_second: float


def best_place(history: Sequence[Epoch]) -> int:
    """The place of the epoch to keep: the first of the lowest validation loss, or the last without validation."""
    losses = [epoch.validation_loss for epoch in history]
    known = [loss for loss in losses if loss is not None]
    return losses.index(min(known)) if known else len(history) - 1


class Checkpoint(NamedTuple):
    """The state after an epoch.

    history : of all epochs so far; it decides the learning rate and the patience left
    model, best : weights by name, now and after the epoch of the lowest validation loss
    optimiser : its state by name

    Random numbers have no state to keep: they depend on the seed, the epoch and the rank.
    """

    history: tuple[Epoch, ...]
    model: Mapping[str, Tensor]
    best: Mapping[str, Tensor]
    optimiser: Mapping[str, Tensor]


_MODEL, _BEST, _OPTIMISER, _STATE = "model.safetensors", "best.safetensors", "optimiser.safetensors", "state.json"


class _State(Section):
    """The content of state.json."""

    history: tuple[Epoch, ...]
    of: dict[str, Any]
    """The training's settings by dotted key."""


class Checkpoints:
    """Those of one training, in a folder of the run; only the last is kept.

    A checkpoint is a folder of three safetensors files and one JSON file, renamed to its name once all are on disk.
    """

    def __init__(self, run: Path, spec: TrainingSpec, *, world_size: int) -> None:
        self._folder = run / "checkpoints"
        settings = spec.model_dump(mode="json", exclude={"folder", "resume"})
        self._of = {**_flat(settings), "processes": world_size}

    def write(self, checkpoint: Checkpoint) -> None:
        """Replaces the one before."""
        name = f"epoch-{len(checkpoint.history):05}"
        unfinished = self._folder / f".{name}.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        write_tensors(unfinished / _MODEL, checkpoint.model)
        if best_place(checkpoint.history) != len(checkpoint.history) - 1:
            write_tensors(unfinished / _BEST, checkpoint.best)
        write_tensors(unfinished / _OPTIMISER, checkpoint.optimiser)
        state = _State(history=checkpoint.history, of=self._of)
        write_text(unfinished / _STATE, state.model_dump_json(indent=2) + "\n")
        before = self._finished()
        unfinished.rename(self._folder / name)
        sync(self._folder)
        for folder in before:
            shutil.rmtree(folder)

    def last(self) -> Checkpoint | None:
        """The newest, or None where there is none.

        Raises
        ------
        ConfigurationError : it is of another specification or number of processes
        DataError : it cannot be read
        """
        finished = self._finished()
        if not finished:
            return None
        folder = finished[-1]
        try:
            state = _State.model_validate_json((folder / _STATE).read_text(encoding="utf-8"))
            self._require_same(state.of, folder)
            model = load_file(folder / _MODEL)
            best = load_file(folder / _BEST) if (folder / _BEST).exists() else model
            return Checkpoint(state.history, model, best, load_file(folder / _OPTIMISER))
        except (OSError, ValueError, SafetensorError) as error:
            raise DataError(f"{folder}: the checkpoint cannot be read: {error}") from error

    def clear(self) -> None:
        """Remove all, for a training that starts anew."""
        if self._folder.exists():
            shutil.rmtree(self._folder)

    def _finished(self) -> list[Path]:
        return sorted(self._folder.glob("epoch-*"))

    def _require_same(self, of: Mapping[str, Any], folder: Path) -> None:
        for key, now in self._of.items():
            if of.get(key) != now:
                raise ConfigurationError(
                    f"resume: {key} is {now!r} and was {of.get(key)!r} when {folder} was written; "
                    "set it back or start without resume"
                )


def _flat(tables: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """{"a": {"b": 1}} -> {"a.b": 1}"""
    flat: dict[str, Any] = {}
    for key, value in tables.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat
