"""The usual lines of a dump, recognised and converted without looking at single bytes.

The last bytes of a line are read as little-endian words of eight: a digit's byte XOR '0' is 0 to 9, so one addition
shows whether all are digits, and three multiplications turn eight digits into their number. Lines of any other form
are left to the grammar, so that a form missed here costs time, never a row.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nightreel.sources.netflix.grammar import LARGEST_ID, Grammar

NO_DATE = np.iinfo(np.int32).min
"""The day of a line that has none."""

Lines = NDArray[np.int64]
Words = NDArray[np.uint64]
Mask = NDArray[np.bool_]

_DATE_BYTES = 10
_HIGH_BITS = np.uint64(0x8080808080808080)
_EIGHT_ZEROS = np.uint64(0x3030303030303030)
_ALL_DIGITS = np.uint64(0x7676767676767676)  # a byte of 0..9 plus 0x76 keeps its high bit clear
_DATE_END = np.frombuffer(b"00-00-00", "<u8")[0]
_DATE_END_LIMITS = np.frombuffer(bytes([0x76, 0x76, 0x7F, 0x7E, 0x76, 0x7F, 0x7C, 0x76]), "<u8")[
    0
]  # month 0x, day 0x..3x
_BEFORE_DATE = np.frombuffer(b"\0\0\0\0\0,00", "<u8")[0]
_BEFORE_DATE_LIMITS = np.frombuffer(bytes([0, 0, 0, 0, 0, 0x7F, 0x76, 0x76]), "<u8")[0]
_BEFORE_DATE_BITS = np.uint64(0xFFFFFF0000000000)
_MONTH_SLOT = 40  # above any day the limits let through


@dataclass(frozen=True)
class Usual:
    """One entry a line; where not recognised, the values mean nothing."""

    recognised: Mask
    user_id: NDArray[np.int64]
    rating: NDArray[np.float32]
    day: NDArray[np.int64]


def parse(block: bytes, starts: Lines, feeds: Lines, grammar: Grammar) -> Usual:
    """Lines from `starts` up to the line feeds at `feeds`, in the block after its padding."""
    octets = np.frombuffer(block, np.uint8)
    at = np.ndarray((len(block) - 7,), "<u8", block, 0, (1,))
    ends = feeds - (octets[feeds - 1] == ord("\r"))
    dated, days = _dates(at, ends)
    if grammar.rows == "ratings":
        recognised, rating, user_ends = _ratings(octets, ends - (_DATE_BYTES + 1), grammar)
        recognised &= dated
    else:
        rating = np.full(len(ends), np.nan, np.float32)
        dated &= ends - (_DATE_BYTES + 1) > starts
        user_ends = ends - dated * (_DATE_BYTES + 1)
        recognised = np.ones(len(ends), np.bool_)
        days = np.where(dated, days, NO_DATE)
    valid, user_id = _user_ids(octets, at, starts, user_ends)
    recognised &= valid
    recognised &= feeds - starts <= grammar.max_line_bytes
    return Usual(recognised, user_id, rating, days)


def _dates(at: Words, ends: Lines) -> tuple[Mask, NDArray[np.int64]]:
    """Whether `,YYYY-MM-DD` stands before each end, and it in days since 1970."""
    last = at[ends - 8] ^ _DATE_END
    before = (at[ends - 16] ^ _BEFORE_DATE) & _BEFORE_DATE_BITS
    wrong = ((last + _DATE_END_LIMITS) | last | (before + _BEFORE_DATE_LIMITS) | before) & _HIGH_BITS
    tens = last * np.uint64(10) + (last >> np.uint64(8))
    century = ((before >> np.uint64(48)) & np.uint64(0xFF)) * np.uint64(10) + (before >> np.uint64(56))
    year = (century * np.uint64(100) + (tens & np.uint64(0xFF))).astype(np.int64)
    month = (tens >> np.uint64(24)) & np.uint64(0xFF)
    day = (tens >> np.uint64(48)) & np.uint64(0xFF)
    slot = (month * np.uint64(_MONTH_SLOT) + day).astype(np.int64)
    ok = wrong == 0
    year *= ok
    slot *= ok
    days = _DAY_OF_YEAR[_YEAR_KIND[year] + slot]
    ok &= days >= 0
    return ok, _YEAR_START[year] + days


def _ratings(octets: NDArray[np.uint8], ends: Lines, grammar: Grammar) -> tuple[Mask, NDArray[np.float32], Lines]:
    """`,d`, `,dd` or `,d.d` before each end: whether it is one within the scale, it, and where the user id ends."""
    last = octets[ends - 1] ^ np.uint8(ord("0"))
    second = octets[ends - 2]
    valid = (last <= 9) & (second == ord(","))
    value = last.astype(np.float64)
    user_ends = ends - 2
    longer = np.flatnonzero(~valid)
    if len(longer):
        _longer_ratings(octets, ends, longer, valid=valid, value=value, user_ends=user_ends)
    valid &= (value >= grammar.lowest) & (value <= grammar.highest)
    return valid, value.astype(np.float32), user_ends


def _longer_ratings(
    octets: NDArray[np.uint8],
    ends: Lines,
    lines: Lines,
    *,
    valid: Mask,
    value: NDArray[np.float64],
    user_ends: Lines,
) -> None:
    fourth, third, second, last = (octets[ends[lines] - back] for back in (4, 3, 2, 1))
    zero = np.uint8(ord("0"))
    digits = (last ^ zero) <= 9
    half = digits & (second == ord(".")) & ((third ^ zero) <= 9) & (fourth == ord(","))
    tens = digits & ((second ^ zero) <= 9) & (third == ord(","))
    first = np.where(half, third, second) ^ zero
    number = first * 10.0 + (last ^ zero)
    valid[lines] = half | tens
    value[lines] = np.where(half, number / 10.0, number)
    user_ends[lines] = ends[lines] - np.where(half, 4, 3)


def _user_ids(octets: NDArray[np.uint8], at: Words, starts: Lines, ends: Lines) -> tuple[Mask, NDArray[np.int64]]:
    """Whether one to ten digits making an allowed id fill each line from start to end, and the id."""
    length = ends - starts
    valid = (length >= 1) & (length <= 10)
    absent = ((8 - np.clip(length, 1, 8)) * 8).astype(np.uint64)
    digits = ((at[ends - 8] ^ _EIGHT_ZEROS) >> absent) << absent
    valid &= (((digits + _ALL_DIGITS) | digits) & _HIGH_BITS) == 0
    user_id = _number(digits).astype(np.int64)
    long = np.flatnonzero(valid & (length > 8))
    if len(long):
        ninth = (octets[ends[long] - 9] ^ np.uint8(ord("0"))).astype(np.int64)
        tenth = (octets[ends[long] - 10] ^ np.uint8(ord("0"))).astype(np.int64) * (length[long] == 10)
        valid[long] = (ninth <= 9) & (tenth <= 9)
        user_id[long] += (tenth * 10 + ninth) * 100_000_000
    valid &= (user_id >= 1) & (user_id <= LARGEST_ID)
    return valid, user_id


def _number(digits: Words) -> Words:
    """Eight digits, the first in the lowest byte, as a number: pairs, then fours, then all eight."""
    pairs = (digits * np.uint64(2_561)) >> np.uint64(8) & np.uint64(0x00FF00FF00FF00FF)
    fours = (pairs * np.uint64(6_553_601)) >> np.uint64(16) & np.uint64(0x0000FFFF0000FFFF)
    return np.asarray((fours * np.uint64(42_949_672_960_001)) >> np.uint64(32))


def _calendar() -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """By year its first day since 1970, and its kind's first slot in the third: by slot, days into the year."""
    years = np.arange(10_000)
    starts = (years - 1970).astype("datetime64[Y]").astype("datetime64[D]").astype(np.int64)
    leap = (years % 4 == 0) & ((years % 100 != 0) | (years % 400 == 0))
    slots = 20 * _MONTH_SLOT
    day_of_year = np.full(3 * slots, -1, np.int64)
    for kind, lengths in enumerate(_MONTHS):
        into_year = 0
        for month, length in enumerate(lengths, 1):
            first = kind * slots + month * _MONTH_SLOT + 1
            day_of_year[first : first + length] = np.arange(into_year, into_year + length)
            into_year += length
    return starts, np.where(years == 0, 2, leap) * slots, day_of_year


_MONTHS = ((31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31), (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31))
_YEAR_START, _YEAR_KIND, _DAY_OF_YEAR = _calendar()
