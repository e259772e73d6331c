"""What lines of the raw files are rejected and why, how many are good, and whether that is enough to go on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from nightreel.errors import DataError
from nightreel.sources.files import RawFile
from nightreel.sources.source import UNREADABLE
from nightreel.tables.delta_rs import TableFile

BOM = b"\xef\xbb\xbf"
BLANKS = b" \t\r"
SHOWN_CHARACTERS = 1_000  # of a rejected line, in quarantine
SHOWN_BYTES = 4 * SHOWN_CHARACTERS  # UTF-8 takes at most four bytes a character
_REASONS_SHOWN = 3
_CHARACTERS_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Rejected:
    """A line for quarantine: the offset of its first byte in the unpacked file, its text and why."""

    position: int
    line: str
    reason: str


def quarantined_text(line: bytes) -> str:
    """A line as quarantine keeps it: cut at 1,000 characters, bytes that are no UTF-8 replaced."""
    return line[:SHOWN_BYTES].rstrip(BLANKS).decode("utf-8", "replace")[:SHOWN_CHARACTERS]


@dataclass(frozen=True)
class Tally:
    """How many lines of a file have this reason to be rejected (None: the good ones), with the first as an example.

    `lines` is 0 for warnings: rows kept although a column of theirs was unreadable. `times` counts these too.
    """

    file_id: int
    reason: str | None
    lines: int
    times: int
    position: int | None
    line: str | None


def take_survey(survey: DataFrame) -> tuple[list[Tally], list[TableFile]]:
    """Count a survey (see nightreel.sources.source.Source.survey) by file and reason; and the files that its good lines
    were written to."""
    counted = survey.groupBy("file_id", "reason").agg(
        F.sum("lines").alias("lines"),
        F.count(F.lit(1)).alias("times"),
        F.min("position").alias("position"),
        F.min_by("line", "position").alias("line"),
        F.collect_list("written").alias("written"),
    )
    rows = counted.select("file_id", "reason", "lines", "times", "position", "line", "written").collect()
    written = [TableFile.from_json(text) for row in rows for text in row["written"]]
    return [Tally(*row[:-1]) for row in rows], written


def good_lines(tallies: Collection[Tally]) -> int:
    return sum(one.lines for one in tallies if one.reason is None)


def rejects(tallies: Collection[Tally]) -> Counter[str]:
    """Rejected lines by reason."""
    counted: Counter[str] = Counter()
    for one in tallies:
        if one.reason is not None and one.lines:
            counted[one.reason] += one.lines
    return counted


def kept_without(tallies: Collection[Tally]) -> Counter[str]:
    """Warnings by reason: rows kept although a column of theirs was unreadable."""
    counted: Counter[str] = Counter()
    for one in tallies:
        if one.reason is not None and not one.lines:
            counted[one.reason] += one.times
    return counted


def refuse(tallies: Collection[Tally], files: Mapping[int, RawFile], *, max_share: float, unit: str = "byte") -> None:
    """Raise DataError where one of the files is damaged, or their rejects exceed that share of their lines.

    Parameters
    ----------
    unit : what positions count
    """
    of_files = [one for one in tallies if one.file_id in files]
    of_files.sort(key=lambda one: (one.file_id, one.position or 0))
    for one in of_files:
        if one.reason == UNREADABLE:
            raise DataError(f"{files[one.file_id].path}: {UNREADABLE} to its end: {one.line}; nothing was written")
    reasons = rejects(of_files)
    rejected = reasons.total()
    lines = rejected + good_lines(of_files)
    if rejected <= max_share * lines:
        return
    most_common = reasons.most_common(_REASONS_SHOWN)
    common = ", ".join(f"{count:,} x {reason}" for reason, count in most_common)
    first = next(one for one in of_files if one.reason == most_common[0][0])
    raise DataError(
        f"{rejected:,} of {lines:,} lines ({rejected / lines:.2%}) are rejects, and ingest.max_reject_share allows "
        f"{max_share:.2%}: {common}; such as {(first.line or '')[:_CHARACTERS_SHOWN]!r} in {files[first.file_id].path} "
        f"at {unit} {first.position}; nothing was written"
    )
