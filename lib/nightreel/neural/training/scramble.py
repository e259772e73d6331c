"""Numbers that look random and depend on nothing but what they are made from."""

from __future__ import annotations

from torch import Tensor

_GOLDEN, _FIRST, _SECOND = (value - 2**64 for value in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


def scrambled(first: Tensor, *others: Tensor | int) -> Tensor:
    """The parts, broadcast against each other, through SplitMix64 (Steele, Lea and Flood 2014): int64, 0 to 2^63 - 1.

    The same parts give the same number on every rank and device, and in whatever batch they come.
    """
    state = _mixed(first)
    for part in others:
        state = _mixed(state + part)
    return state & (2**63 - 1)


def _mixed(state: Tensor) -> Tensor:
    """int64 wraps around as uint64 does; its right shift has to be cleared of the sign."""
    state = state + _GOLDEN
    for shift, factor in ((30, _FIRST), (27, _SECOND)):
        state = (state ^ _shifted(state, shift)) * factor
    return state ^ _shifted(state, 31)


def _shifted(state: Tensor, by: int) -> Tensor:
    return (state >> by) & ((1 << (64 - by)) - 1)
