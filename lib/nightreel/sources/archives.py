"""Zip archives as folders: what they hold, the addresses by which fsspec knows it, and how it is read."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from typing import IO, Any

from nightreel.errors import DataError

_SCHEME = "zip://"
_ENCRYPTED = 0x1
_BUFFER_BYTES = 131_072


def is_archive(path: str) -> bool:
    return path.lower().endswith(".zip")


def address(inside: str, archive: str) -> str:
    """Where `inside`, a file or folder, lies in the archive at the path `archive`."""
    return f"{_SCHEME}{inside}::{archive}"


def split(path: str) -> tuple[str, str]:
    """The place inside and the path of the archive, of an address; of any other path it, and no archive."""
    inside, chained, archive = path.partition("::")
    return (inside.removeprefix(_SCHEME), archive) if chained and path.startswith(_SCHEME) else (path, "")


def members(stream: IO[bytes], path: str) -> Iterator[tuple[str, int]]:
    """Each file in an archive, without what systems add of their own, and its unpacked size in bytes.

    Raises
    ------
    DataError : it is no zip archive, or its files are encrypted
    """
    try:
        with zipfile.ZipFile(stream) as archive:
            listed = archive.infolist()
    except (zipfile.BadZipFile, EOFError, NotImplementedError, ValueError, IndexError) as error:
        raise DataError(f"{path}: cannot be read as a zip archive: {error}") from None
    for member in listed:
        if member.is_dir() or member.filename.startswith("__MACOSX/"):
            continue
        if member.flag_bits & _ENCRYPTED:
            raise DataError(f"{path}: {member.filename} is encrypted: unpack the archive first")
        yield member.filename, member.file_size


def open_member(stream: IO[bytes], inside: str) -> IO[bytes]:
    """A file of the archive in `stream`, unpacked; to close it closes the stream.

    Raises
    ------
    OSError : there is no such file, or (also later, in reading) it is damaged or packed in an unknown way
    """
    return io.BufferedReader(_Member(stream, inside), _BUFFER_BYTES)


class _Member(io.RawIOBase):
    """As zipfile reads it, but what is wrong with a file is an OSError, as elsewhere."""

    def __init__(self, stream: IO[bytes], inside: str) -> None:
        self._held = ExitStack()
        self._held.callback(stream.close)
        try:
            archive = self._held.enter_context(zipfile.ZipFile(stream))
            self._unpacked = self._held.enter_context(archive.open(inside))
        except (KeyError, zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, IndexError) as error:
            raise OSError(str(error)) from None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._unpacked.seek(offset, whence)

    def tell(self) -> int:
        return self._unpacked.tell()

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._unpacked.read(len(buffer))
        except zipfile.BadZipFile as error:
            raise OSError(str(error)) from None
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._held.close()
        super().close()
