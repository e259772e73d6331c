"""Files that are there whole or not at all, whatever happens to the process or the machine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor


def write_tensors(file: Path, tensors: Mapping[str, Tensor]) -> None:
    """As safetensors, under a name of its own until the disk has it."""
    unfinished = _unfinished(file)
    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, unfinished)
    # safetensors makes files for their owner alone; a run's folder is read by others too.
    unfinished.chmod(0o644)
    _settle(unfinished, file)


def write_text(file: Path, text: str) -> None:
    """In UTF-8, under a name of its own until the disk has it."""
    unfinished = _unfinished(file)
    unfinished.write_text(text, encoding="utf-8")
    _settle(unfinished, file)


def sync(path: Path) -> None:
    """Wait until the disk has the file, or the folder's list of names."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unfinished(file: Path) -> Path:
    return file.with_name(f".{file.name}.unfinished")


def _settle(unfinished: Path, file: Path) -> None:
    sync(unfinished)
    unfinished.replace(file)
    sync(file.parent)
