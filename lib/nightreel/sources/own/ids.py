"""Whether ids are numbers or text.

The ids of tables and Parquet files are numbers where both columns are of an integer type. Those of text files are
numbers where each reads as a whole number without leading zeros in evenly spread parts of every file. Before the first
ingest all of their lines are looked at, so that one id that is no number makes all of them text, and no row is lost;
afterwards the type is that of the table, unless the parts of a file show text ids: then all is read again as text.
Ids are numbers only where all files say so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Literal

from nightreel.sources.delimited import RatingLines
from nightreel.sources.delimited.grammar import Grammar
from nightreel.sources.delimited.values import LARGEST_ID, Entry
from nightreel.sources.files import RawFile
from nightreel.sources.lines.segments import PADDING, Block, Segment, first_line, open_lines, read_blocks

Ids = Literal["bigint", "string"]

_WHOLE = re.compile(r"0|[1-9][0-9]{0,18}")
_INTEGERS = {"int8", "int16", "int32", "int64", "uint8", "uint16", "uint32"} | {
    "byte", "short", "integer", "long", "tinyint", "smallint", "int", "bigint"
}  # fmt: skip
_PART_BYTES = 8_192
_PARTS = 512
_PARTS_OF_A_FILE = 64


def is_integer(type_name: str) -> bool:
    """Of a column of a table or Parquet file, as Arrow, Delta and Spark name types."""
    return type_name in _INTEGERS


def ids_of_lines(files: Sequence[tuple[RawFile, RatingLines]], *, max_line_bytes: int) -> Ids:
    """The type of the ids in files of lines, by up to 64 parts of 8 KB of each; of many files by fewer, at least one.

    A packed file is read from its beginning.
    """
    parts = min(_PARTS_OF_A_FILE, max(1, _PARTS // max(1, len(files))))
    for file, form in files:
        grammar = Grammar(replace(form, ids="string"), max_line_bytes)
        if not all(_is_whole(id_) for id_ in _ids_in(file, grammar, parts)):
            return "string"
    return "bigint"


def _is_whole(text: str | int) -> bool:
    return _WHOLE.fullmatch(str(text)) is not None and int(text) <= LARGEST_ID


def _ids_in(file: RawFile, grammar: Grammar, parts: int) -> Iterator[str | int]:
    for block in _blocks(file, parts, grammar.max_line_bytes):
        position = block.position
        for line in block.data[PADDING:-1].split(b"\n"):
            parsed = grammar.parse(line, position=position)
            if isinstance(parsed, Entry):
                yield parsed.user_id
                yield parsed.item_id
            position += len(line) + 1


def _blocks(file: RawFile, parts: int, max_line_bytes: int) -> Iterator[Block]:
    whole = Segment(0, file.path, 0, file.size)
    with open_lines(whole) as stream:
        for start in [0] if whole.packed else _starts(file.size, parts):
            segment = Segment(0, file.path, start, min(start + _PART_BYTES, file.size))
            position = first_line(stream, segment, chunk_bytes=_PART_BYTES)
            if position is not None:
                blocks = read_blocks(
                    stream, segment, position=position, chunk_bytes=_PART_BYTES, max_line_bytes=max_line_bytes
                )
                yield from islice(blocks, parts if whole.packed else None)


def _starts(size: int, parts: int) -> list[int]:
    """Where parts begin: the first with the file, the last so that it ends with it."""
    last = max(0, size - _PART_BYTES)
    return sorted({last * part // max(1, parts - 1) for part in range(parts)})
