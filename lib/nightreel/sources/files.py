"""Raw files wherever fsspec finds them: local folders, object stores, HDFS, and zip archives in any of these."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import attrgetter
from typing import IO, Any, cast

from fsspec.core import has_magic, url_to_fs
from fsspec.implementations.local import LocalFileSystem

from nightreel.errors import ConfigurationError, DataError

EVERY_FOLDER = "*"
PARTITIONS = "*=*"
_NO_NAME = re.compile(r"::|[\x00-\x1f\x7f\ud800-\udfff]")
_MODIFIED_KEYS = ("mtime", "LastModified", "last_modified", "updated", "created")
_SCHEME = "zip://"
_BUFFER_BYTES = 131_072
_DAMAGED = (zipfile.BadZipFile, NotImplementedError, ValueError, IndexError)
"""What zipfile raises of an archive that it cannot read."""


@dataclass(frozen=True, slots=True)
class RawFile:
    """A file as its store lists it. `path` is absolute, with its protocol unless local; the size is in bytes.

    A file in a zip archive has a path such as `zip://ml-25m/ratings.csv::/data/ml-25m.zip`, its size unpacked, and
    the time of the archive.
    """

    path: str
    size: int
    modified_at: datetime | None

    @property
    def name(self) -> str:
        inside, _ = split(self.path)
        return inside.rpartition("/")[2]

    @property
    def folder(self) -> str:
        inside, archive = split(self.path)
        above = inside.rpartition("/")[0]
        return _address(above, archive) if archive else above or "/"


def open_bytes(path: str) -> IO[bytes]:
    """A file's bytes, unpacked where it lies in an archive.

    Raises OSError where there is no such file, or (also later, in reading) it is damaged or packed in an unknown way.
    """
    inside, archive = split(path)
    store, place = url_to_fs(archive or path)
    stream = cast(IO[bytes], store.open(place, "rb"))
    return io.BufferedReader(_Member(stream, inside), _BUFFER_BYTES) if archive else stream


def find(
    path: str,
    *,
    setting: str,
    in_folder: Callable[[str], bool],
    in_glob: Callable[[str], bool] | None = None,
    below: Sequence[str] = ("",),
) -> list[RawFile]:
    """The files a path, folder, glob or zip archive names, in the order of their paths.

    An archive is a folder whose folders are looked through; those in a folder count where none of its own files does.
    Raises ConfigurationError where the path does not exist, the glob matches nothing, or nothing opens paths of that
    kind; DataError where an archive is damaged or encrypted, a symbolic link leads nowhere, or a file's name is none we
    can keep.

    Parameters
    ----------
    setting : where the path comes from, for the errors
    in_folder, in_glob : which names count where a folder or a glob brought them (None: the same); a file named by
        itself counts
    below : where in a folder to look: "" is the folder itself, EVERY_FOLDER all those in it, PARTITIONS those with
        names such as `year=2024`, and those in them
    """
    inside, archive = split(path)
    if archive:
        return sorted(_packed(inside, archive, setting, in_folder), key=attrgetter("path"))
    store, infos = _look_up(path, setting, in_glob or in_folder)
    return sorted((file for info in infos for file in _files(store, info, in_folder, below)), key=attrgetter("path"))


def _look_up(path: str, setting: str, in_glob: Callable[[str], bool]) -> tuple[Any, list[Mapping[str, Any]]]:
    """The store of a path, and what it tells of the file or folder there, or of those that a glob brings."""
    try:
        store, place = url_to_fs(path)
    except (ValueError, ImportError) as error:
        raise ConfigurationError(f"{setting}: {path}: {error}") from None
    if store.exists(place):
        return store, [store.info(place)]
    matches = store.glob(place, detail=True).values() if has_magic(place) else ()
    if not matches:
        chained = ", and a path with :: cannot be read" if "::" in path else ""
        raise ConfigurationError(f"{setting}: {path}: no such file or folder{chained}")
    return store, [one for one in matches if one["type"] == "directory" or _counts(one, in_glob)]


def _counts(info: Mapping[str, Any], wanted: Callable[[str], bool]) -> bool:
    name = str(info["name"]).rstrip("/").rpartition("/")[2]
    return _is_archive(name) or wanted(name)


def _files(
    store: Any, info: Mapping[str, Any], in_folder: Callable[[str], bool], below: Iterable[str]
) -> Iterator[RawFile]:
    if info["type"] != "directory":
        file = _raw_file(store, _followed(store, info))
        yield from _members(file, in_folder) if _is_archive(file.path) else [file]
        return
    places = [place for folder in below for place in _places(store, info["name"].rstrip("/"), folder)]
    named = [one for place in places for one in store.ls(place, detail=True) if one["type"] != "directory"]
    infos = [_followed(store, one) for one in named if _counts(one, in_folder)]
    listed = [_raw_file(store, one) for one in infos if one["type"] == "file"]
    own = [file for file in listed if in_folder(file.name)]
    packed = (file for file in listed if _is_archive(file.path))
    yield from own or (member for file in packed for member in _members(file, in_folder))


def _places(store: Any, folder: str, below: str) -> Iterator[str]:
    if below not in {EVERY_FOLDER, PARTITIONS}:
        place = f"{folder}/{below}".rstrip("/")
        yield from [place] if store.isdir(place) else []
        return
    for one in store.ls(folder, detail=True):
        place = str(one["name"])
        if one["type"] == "directory" or (one["type"] != "file" and store.isdir(place)):
            if below == EVERY_FOLDER:
                yield place
            elif "=" in place.rpartition("/")[2]:
                yield place
                yield from _places(store, place, PARTITIONS)


def _followed(store: Any, info: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a symbolic link leads to, under the link's own name."""
    try:
        return {**store.info(info["name"]), "name": info["name"]} if info.get("islink") else info
    except OSError as error:
        raise DataError(f"{_shown(info)}: a symbolic link that leads to no file: {error.strerror}") from None


def _shown(info: Mapping[str, Any]) -> str:
    """A path in signs that can be written, whatever its bytes."""
    return str(info["name"]).encode("utf-8", "backslashreplace").decode()


def _packed(inside: str, archive: str, setting: str, in_folder: Callable[[str], bool]) -> Iterator[RawFile]:
    """A file in an archive, or what counts in a folder of it."""
    store, infos = _look_up(archive, setting, _is_archive)
    held = [member for info in infos for member in _members(_raw_file(store, info), lambda _: True)]
    place = inside.strip("/")
    there = [(file, split(file.path)[0]) for file in held]
    there = [(file, at) for file, at in there if not place or f"{at}/".startswith(f"{place}/")]
    if not there:
        raise ConfigurationError(f"{setting}: {_address(inside, archive)}: no such file or folder")
    yield from (file for file, at in there if at == place or in_folder(file.name))


def _members(archive: RawFile, in_folder: Callable[[str], bool]) -> Iterator[RawFile]:
    """The files in an archive that count, without what systems add of their own, with their unpacked sizes.

    Raises DataError where it is no zip archive, or its files are encrypted.
    """
    path = archive.path
    try:
        with open_bytes(path) as stream, zipfile.ZipFile(stream) as opened:
            listed = opened.infolist()
    except (EOFError, *_DAMAGED) as error:
        raise DataError(f"{path}: cannot be read as a zip archive: {error}") from None
    for member in listed:
        if member.is_dir() or member.filename.startswith("__MACOSX/"):
            continue
        if member.flag_bits & 0x1:
            raise DataError(f"{path}: {member.filename} is encrypted: unpack the archive first")
        file = RawFile(_address(member.filename, path), member.file_size, archive.modified_at)
        if in_folder(file.name):
            yield file


def _raw_file(store: Any, info: Mapping[str, Any]) -> RawFile:
    name = str(info["name"])
    if _NO_NAME.search(name):
        raise DataError(f"{_shown(info)!r}: must be renamed: a path with ::, control signs or bytes that are no UTF-8")
    path = name if isinstance(store, LocalFileSystem) else str(store.unstrip_protocol(name))
    modified = next((info[key] for key in _MODIFIED_KEYS if info.get(key) is not None), None)
    if isinstance(modified, int | float):
        modified = datetime.fromtimestamp(modified, UTC)
    return RawFile(path, int(info["size"]), modified.astimezone(UTC) if isinstance(modified, datetime) else None)


def _is_archive(path: str) -> bool:
    return path.lower().endswith(".zip")


def _address(inside: str, archive: str) -> str:
    """Where `inside`, a file or folder, lies in the archive at the path `archive`."""
    return f"{_SCHEME}{inside}::{archive}"


def split(path: str) -> tuple[str, str]:
    """The place inside and the path of the archive, of an address; of any other path it, and no archive."""
    inside, chained, archive = path.partition("::")
    return (inside.removeprefix(_SCHEME), archive) if chained and path.startswith(_SCHEME) else (path, "")


class _Member(io.RawIOBase):
    """As zipfile reads it, but what is wrong with a file is an OSError, as elsewhere."""

    def __init__(self, stream: IO[bytes], inside: str) -> None:
        self._stream = stream
        try:
            archive = zipfile.ZipFile(stream)  # needs no closing: the stream is ours
            self._unpacked = archive.open(inside)
        except (KeyError, RuntimeError, *_DAMAGED) as error:
            raise OSError(str(error)) from None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._unpacked.seek(offset, whence)

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._unpacked.read(len(buffer))
        except zipfile.BadZipFile as error:
            raise OSError(str(error)) from None
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._stream.close()
        super().close()
