"""Any exception as one line that says what to do."""

from __future__ import annotations

import re
from pathlib import Path

from nightreel.errors import NightreelError, TableError
from nightreel.tables.schemas import SCHEMAS

_WRITE_FAULTS = {
    r"No space left on device|Disk quota exceeded|File too large": "no space left",
    r"Permission denied|AccessControlException|AccessDenied": "permission denied",
    r"Read-only file system": "the file system is read-only",
    r"Mkdirs failed|Not a directory|ParentNotDirectoryException|Failed to create": "cannot create it as a folder",
}
_CONCURRENT = re.compile(
    r"DELTA_CONCURRENT|CommitFailedError|Concurrent\w+Exception|DELTA_\w*PROTOCOL_CHANGED|MetadataChanged"
)
_CAUSES = re.compile(r"^Caused by: [\w.$]+: (.+)$", re.MULTILINE)
_OURS = re.compile(r"^\s*nightreel\.errors\.\w+: (.+)$", re.MULTILINE)
"""The end of a Python worker's traceback after one of our own errors."""
_UNREADABLE = re.compile(r"(?:while reading file|Could not read footer for file:?|File) (?:file:/*)?(/?\S+?)\.?\s")
"""In what Spark says of a file that is broken or gone."""
_JVM_ENDED = re.compile(r"Answer from Java side is empty|Py4JNetworkError|ConnectionRefusedError|Connection refused")
_SCHEMA = re.compile(r"DELTA_FAILED_TO_MERGE_FIELDS|DELTA_METADATA_MISMATCH|schema mismatch", re.IGNORECASE)


def explain(error: BaseException, *, root: str) -> NightreelError:
    """`error` as an error with one line and an exit code; of an unknown one, the type and the first line.

    Parameters
    ----------
    root : where the tables are, for the text of errors in writing them
    """
    if isinstance(error, NightreelError):
        return error
    if isinstance(error, OSError) and error.filename:
        return NightreelError(f"{error.filename}: {error.strerror}")
    text = _whole_text(error)
    if ours := _OURS.findall(text):
        return NightreelError(ours[-1])
    if _CONCURRENT.search(text):
        return TableError(
            f"{root}: another job wrote the same table at the same moment; it kept its rows, this job wrote none "
            "there: run this job again when the other has ended"
        )
    for pattern, meaning in _WRITE_FAULTS.items():
        if re.search(pattern, text):
            return TableError(f"tables.root = {root}: {meaning}; no table was changed by the write that failed")
    if _SCHEMA.search(text):
        return TableError(
            f"{root}: a table there has another schema than this version of nightreel writes: {_line(error)}"
        )
    if broken := _UNREADABLE.search(text):
        return _of_broken_file(f"/{broken[1].lstrip('/')}", text)
    if _JVM_ENDED.search(text):
        return NightreelError(
            "Spark's JVM ended: it was killed, or the machine has too little memory for its heap "
            "(spark.driver.memory); what was committed stays, and the next run resumes from it"
        )
    if "OutOfMemoryError" in text:
        return NightreelError("Spark ran out of memory: raise spark.driver.memory or spark.executor.memory")
    return NightreelError(f"{type(error).__name__}: {_line(error)}")


def _of_broken_file(path: str, text: str) -> TableError:
    """The file, the table it belongs to, and what to do."""
    table = next((part for part in reversed(Path(path).parts) if part in SCHEMAS), None)
    what = "its log" if "/_delta_log/" in path else "a file"
    whose = "put back a copy"
    if table is not None:
        whose = f"{what} of {table}; {whose}, or remove the table's folder: {SCHEMAS[table].owner} writes it anew"
    causes = _CAUSES.findall(text)
    why = causes[-1].replace(f"file:{path}", "it").strip()[:120] if causes else "it is broken or gone"
    return TableError(f"{path}: cannot be read, {whose} ({why})")


def _line(error: BaseException) -> str:
    """The first line; of a Java exception its own, without what was called."""
    lines = [line.strip(" :") for line in str(error).splitlines() if line.strip()]
    if len(lines) > 1 and lines[0].startswith("An error occurred while calling"):
        lines = lines[1:]
    return lines[0][:300] if lines else "no further word"


def _whole_text(error: BaseException) -> str:
    parts: list[str] = []
    current: BaseException | None = error
    while current is not None:
        parts.append(f"{type(current).__name__}: {current}")
        current = current.__cause__ or current.__context__
    return "\n".join(parts)
