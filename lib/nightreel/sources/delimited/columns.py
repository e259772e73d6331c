"""Usual lines as columns, by Arrow's CSV reader."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import csv

from nightreel.sources.delimited import times
from nightreel.sources.delimited.rating_lines import RatingLines
from nightreel.sources.delimited.values import LARGEST_ID
from nightreel.sources.lines.quarantine import BOM

INSTANT = pa.timestamp("us", tz="UTC")
ID_TYPES = {"bigint": pa.int64(), "string": pa.string()}

_BLANKS = " \t"
_ONE_BYTE_SEPARATOR = "\x1f"  # which no usual line holds
_ISO = re.compile(rb"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9:.]*(?P<offset>Z|[+-][0-9:]*)?)?")
_ID_FORM = r"^[ \t]*([0-9]{1,19}[ \t]*)?$"
_NUMBER_FORM = r"^[ \t]*(([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?[ \t]*)?$"
_CLOCK = r"[T ][0-9]{2}(:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?)?"
_TIME_FORMS = {
    pa.int64(): r"^(-?[0-9]{1,18})?$",
    pa.timestamp("us"): rf"^([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}({_CLOCK})?)?$",
    INSTANT: rf"^([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}{_CLOCK}(Z|[+-][0-9]{{2}}(:?[0-9]{{2}})?))?$",
}
_MILLIS_LIMIT = times.LAST_MICROS // 1_000

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Columns:
    """What lines hold, an entry each in order, except for those with another number of fields.

    user_id, item_id : int64 or string
    rating : within the form's bounds
    micros : since 1970; 0 where `timed` is false
    good : where false, the other values mean nothing
    skipped : numbers of the lines with another number of fields, which have no entry
    """

    user_id: pa.Array
    item_id: pa.Array
    rating: NDArray[np.float64]
    micros: NDArray[np.int64]
    timed: Mask
    good: Mask
    skipped: NDArray[np.int64]


def read_columns(data: bytes, form: RatingLines) -> Columns:
    """Lines that are usual ones (see line_table.usual), each with its line feed.

    Raises
    ------
    ArrowInvalid : a line among them has a value of another form
    """
    if data.startswith(BOM):
        raise pa.ArrowInvalid("the reader would skip it")
    ids = pa.uint64() if form.ids == "bigint" else pa.string()  # uint64: Arrow takes -0 for an int64
    types = {"user": ids, "item": ids, "rating": pa.float64(), "time": _time_type(data, form)}
    table, skipped = _read_csv(data, form, types)
    good = np.ones(table.num_rows, np.bool_)
    user_id = _ids(table["user"], good)
    item_id = _ids(table["item"], good)
    rating = _ratings(table, form, good)
    micros, timed = _times(table, good)
    return Columns(user_id, item_id, rating, micros, timed, good, skipped)


def plausible(data: bytes, form: RatingLines) -> Mask:
    """Which of these lines have numbers where numbers are read, and times in the form of the first one's.

    Slower than to read them, and quicker than to look for a few that Arrow refuses.
    """
    types = dict.fromkeys(("user", "item", "rating", "time"), pa.string())
    table, skipped = _read_csv(data, form, types)
    mask = np.ones(table.num_rows + len(skipped), np.bool_)
    mask[skipped] = False
    time = _TIME_FORMS[_time_type(data, form)]
    forms = {"rating": _NUMBER_FORM, "time": time} | (
        dict.fromkeys(("user", "item"), _ID_FORM) if form.ids == "bigint" else {}
    )
    alike = np.ones(table.num_rows, np.bool_)
    for name in (name for name in forms if name in table.column_names):
        found = pc.match_substring_regex(table[name].combine_chunks(), forms[name])
        alike &= found.to_numpy(zero_copy_only=False)
    mask[mask] = alike
    return mask


def _read_csv(data: bytes, form: RatingLines, types: Mapping[str, pa.DataType]) -> tuple[pa.Table, NDArray[np.int64]]:
    separator = form.separator
    if len(separator) > 1:
        data, separator = data.replace(separator.encode(), _ONE_BYTE_SEPARATOR.encode()), _ONE_BYTE_SEPARATOR
    places = {form.user: "user", form.item: "item", form.rating: "rating", form.time: "time"}
    names = [places.get(place, f"unused {place}") for place in range(form.fields)]
    skipped: list[int] = []

    def skip(row: csv.InvalidRow) -> str:
        skipped.append(row.number - 1)
        return "skip"

    table = csv.read_csv(
        pa.BufferReader(data),
        csv.ReadOptions(use_threads=False, column_names=names, block_size=len(data) + 1),
        csv.ParseOptions(
            delimiter=separator,
            quote_char='"' if form.quoted else False,
            ignore_empty_lines=False,
            invalid_row_handler=skip,
        ),
        csv.ConvertOptions(
            column_types=types, include_columns=[name for name in names if name in types], null_values=[""]
        ),
    )
    return table, np.array(skipped, np.int64)


def _time_type(data: bytes, form: RatingLines) -> pa.DataType:
    """What the times seem to be, by the first of them."""
    if form.time is None:
        return pa.int64()
    fields = data[: data.index(b"\n")].split(form.separator.encode())
    found = _ISO.fullmatch(fields[form.time].strip(b'" \r')) if form.time < len(fields) else None
    if found is None:
        return pa.int64()
    return INSTANT if found["offset"] else pa.timestamp("us")


def _ids(column: pa.ChunkedArray, good: Mask) -> pa.Array:
    ids = column.combine_chunks()
    if pa.types.is_string(ids.type):
        ids = pc.utf8_trim(ids, characters=_BLANKS)
        good &= pc.greater(pc.binary_length(ids), 0).to_numpy(zero_copy_only=False)
        return ids
    values = _filled(ids, 0, good)
    good &= values <= LARGEST_ID
    return pa.array(values.view(np.int64))


def _ratings(table: pa.Table, form: RatingLines, good: Mask) -> NDArray[np.float64]:
    if form.rating is None:
        return np.ones(table.num_rows)
    rating: NDArray[np.float64] = _filled(table["rating"].combine_chunks(), 0.0, good)
    lowest, highest = form.bounds
    good &= (rating >= lowest) & (rating <= highest)
    return rating


def _times(table: pa.Table, good: Mask) -> tuple[NDArray[np.int64], Mask]:
    if "time" not in table.column_names:
        return np.zeros(table.num_rows, np.int64), np.zeros(table.num_rows, np.bool_)
    column = table["time"].combine_chunks()
    timed = np.ones(table.num_rows, np.bool_)
    count = _filled(column.view(pa.int64()), 0, timed)
    if pa.types.is_integer(column.type):
        good &= (count >= -_MILLIS_LIMIT - 1) & (count <= _MILLIS_LIMIT)
        in_seconds = np.abs(count) < times.MILLISECONDS_FROM
        count = np.where(good, count, 0) * np.where(in_seconds, 1_000_000, 1_000)
    good &= (count >= times.FIRST_MICROS) & (count <= times.LAST_MICROS)
    return count, timed


def _filled(column: pa.Array, value: float, present: Mask) -> Any:
    """The column as numpy has it, `value` in place of nulls, which are noted as not present."""
    if column.null_count:
        present &= column.is_valid().to_numpy(zero_copy_only=False)
        column = column.fill_null(value)
    return column.to_numpy()
