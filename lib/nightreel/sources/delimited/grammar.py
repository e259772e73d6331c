"""What a line of ratings is: the definition, one line at a time, that the fast reader must equal."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from dataclasses import dataclass

from nightreel.sources.delimited.rating_lines import RatingLines
from nightreel.sources.delimited.values import Entry, Reason, entry
from nightreel.sources.lines.quarantine import BLANKS, BOM

_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")

Fields = list[bytes] | Reason


@dataclass(frozen=True)
class Grammar:
    """How a file's lines are read; lengths count the bytes before the line feed."""

    form: RatingLines
    max_line_bytes: int

    def parse(self, line: bytes, *, position: int) -> Entry | Reason | None:
        """One line without its line feed; `position` is its offset in the file.

        None: the line is blank, or the header. A byte order mark at position 0 is no part of the line, nor are blanks
        and carriage returns at its end, where they do not separate fields.
        """
        if position == 0 and self.form.header:
            return None
        if len(line) > self.max_line_bytes:
            return Reason.TOO_LONG
        blanks = BLANKS.replace(self.form.separator.encode(), b"")
        content = (line.removeprefix(BOM) if position == 0 else line).rstrip(blanks)
        if not content:
            return None
        if _CONTROL.search(content):
            return Reason.BINARY
        fields = self._split(content)
        if isinstance(fields, Reason):
            return fields
        return entry(fields, self.form) if len(fields) == self.form.fields else Reason.FIELDS

    @property
    def _split(self) -> Callable[[bytes], Fields]:
        return self._of_json if self.form.keys else self._of_csv if self.form.quoted else self._plain

    def _plain(self, content: bytes) -> Fields:
        return [*content.split(self.form.separator.encode())]

    def _of_csv(self, content: bytes) -> Fields:
        separator = self.form.separator
        text = content.decode("latin-1")  # which any bytes are, and back
        try:
            (fields,) = csv.reader([text], delimiter=separator, strict=True, skipinitialspace=separator != " ")
        except csv.Error:
            return Reason.QUOTES
        return [field.encode("latin-1") for field in fields]

    def _of_json(self, content: bytes) -> Fields:
        try:
            read = json.loads(content)
        except (ValueError, RecursionError):
            return Reason.JSON
        if not isinstance(read, dict):
            return Reason.JSON
        return [_text(read.get(key)) for key in self.form.keys]


def _text(value: object) -> bytes:
    """A value of JSON as a field; what is no text or number is text that is neither an id nor a rating nor a time."""
    if value is None or value == "" or value != value:
        return b""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return str(value).encode("utf-8", "surrogatepass")
    return b"\x00"
