"""Random numbers that depend on nothing but a key."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
import torch


def on_device(*key: int | str, device: torch.device) -> torch.Generator:
    """A generator of its own for every key; the same key gives the same numbers on the same kind of device."""
    return torch.Generator(device=device).manual_seed(_number(key))


def in_numpy(*key: int | str) -> np.random.Generator:
    """The same for numpy, which permutes in the calling thread alone, where torch keeps all cores busy."""
    return np.random.Generator(np.random.SFC64(_number(key)))


def _number(key: tuple[int | str, ...]) -> int:
    return int.from_bytes(blake2b(repr(key).encode(), digest_size=8).digest(), "big")
