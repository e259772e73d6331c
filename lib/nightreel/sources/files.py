"""Raw files wherever fsspec finds them: local folders, object stores, HDFS, and zip archives in any of these."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, Any, cast

from fsspec.core import has_magic, url_to_fs
from fsspec.implementations.local import LocalFileSystem

from nightreel.errors import ConfigurationError, DataError

EVERY_FOLDER = "*"
PARTITIONS = "*=*"
_NO_NAME = re.compile(r"::|[\x00-\x1f\x7f\ud800-\udfff]")
_MODIFIED_KEYS = ("mtime", "LastModified", "last_modified", "updated", "created")


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
        return address(above, archive) if archive else above or "/"


def open_bytes(path: str) -> IO[bytes]:
    inside, archive = split(path)
    store, place = url_to_fs(archive or path)
    stream = cast(IO[bytes], store.open(place, "rb"))
    return open_member(stream, inside) if archive else stream


def find(
    path: str,
    *,
    setting: str,
    in_folder: Callable[[str], bool],
    in_glob: Callable[[str], bool],
    below: Sequence[str] = ("",),
) -> list[RawFile]:
    """The files a path, folder, glob or zip archive names, in the order of their paths.

    An archive is a folder whose folders are looked through; those in a folder count where none of its own files does.

    Parameters
    ----------
    setting : where the path comes from, for the errors
    in_folder, in_glob : which names count where a folder or a glob brought them; a file named by itself counts
    below : where in a folder to look: "" is the folder itself, EVERY_FOLDER all those in it, PARTITIONS those with
        names such as `year=2024`, and those in them

    Raises
    ------
    ConfigurationError : the path does not exist, the glob matches nothing, or nothing opens paths of that kind
    DataError : an archive is damaged or encrypted, a symbolic link leads nowhere, or a file's name is none we can keep
    """
    inside, archive = split(path)
    if archive:
        files: Iterable[RawFile] = _packed(inside, archive, setting=setting, in_folder=in_folder)
    else:
        store, infos = _look_up(path, setting=setting, in_glob=in_glob)
        files = (file for info in infos for file in _files(store, info, in_folder, below))
    return sorted(files, key=lambda file: file.path)


def _look_up(path: str, *, setting: str, in_glob: Callable[[str], bool]) -> tuple[Any, list[Mapping[str, Any]]]:
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
    return store, [info for info in matches if info["type"] == "directory" or _in_glob(info, in_glob)]


def _in_glob(info: Mapping[str, Any], in_glob: Callable[[str], bool]) -> bool:
    return is_archive(_name(info)) or in_glob(_name(info))


def _files(
    store: Any, info: Mapping[str, Any], in_folder: Callable[[str], bool], below: Iterable[str]
) -> Iterator[RawFile]:
    if info["type"] != "directory":
        file = _raw_file(store, _followed(store, info))
        yield from _members(file, in_folder) if is_archive(file.path) else [file]
        return
    places = [place for folder in below for place in _places(store, info["name"].rstrip("/"), folder)]
    named = [one for place in places for one in store.ls(place, detail=True) if one["type"] != "directory"]
    infos = [_followed(store, one) for one in named if in_folder(_name(one)) or is_archive(_name(one))]
    listed = [_raw_file(store, one) for one in infos if one["type"] == "file"]
    own = [file for file in listed if in_folder(file.name)]
    packed = (file for file in listed if is_archive(file.path))
    yield from own or (member for file in packed for member in _members(file, in_folder))


def _places(store: Any, folder: str, below: str) -> Iterator[str]:
    if below == EVERY_FOLDER:
        yield from _folders(store, folder)
    elif below == PARTITIONS:
        for partition in (one for one in _folders(store, folder) if "=" in one.rpartition("/")[2]):
            yield partition
            yield from _places(store, partition, PARTITIONS)
    elif store.isdir(f"{folder}/{below}".rstrip("/")):
        yield f"{folder}/{below}".rstrip("/")


def _folders(store: Any, folder: str) -> Iterator[str]:
    for one in store.ls(folder, detail=True):
        if one["type"] == "directory" or (one["type"] != "file" and store.isdir(one["name"])):
            yield str(one["name"])


def _followed(store: Any, info: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a symbolic link leads to, under the link's own name."""
    if not info.get("islink"):
        return info
    try:
        return {**store.info(info["name"]), "name": info["name"]}
    except OSError as error:
        raise DataError(f"{_shown(info)}: a symbolic link that leads to no file: {error.strerror}") from None


def _name(info: Mapping[str, Any]) -> str:
    return str(info["name"]).rstrip("/").rpartition("/")[2]


def _shown(info: Mapping[str, Any]) -> str:
    """A path in signs that can be written, whatever its bytes."""
    return str(info["name"]).encode("utf-8", "backslashreplace").decode()


def _packed(inside: str, archive: str, *, setting: str, in_folder: Callable[[str], bool]) -> Iterator[RawFile]:
    """A file in an archive, or what counts in a folder of it."""
    store, infos = _look_up(archive, setting=setting, in_glob=is_archive)
    held = [member for info in infos for member in _members(_raw_file(store, info), lambda _: True)]
    place = inside.strip("/")
    there = [(file, split(file.path)[0]) for file in held]
    there = [(file, at) for file, at in there if not place or f"{at}/".startswith(f"{place}/")]
    if not there:
        raise ConfigurationError(f"{setting}: {address(inside, archive)}: no such file or folder")
    yield from (file for file, at in there if at == place or in_folder(file.name))


def _members(archive: RawFile, in_folder: Callable[[str], bool]) -> Iterator[RawFile]:
    with open_bytes(archive.path) as stream:
        for inside, size in members(stream, archive.path):
            file = RawFile(address(inside, archive.path), size, archive.modified_at)
            if in_folder(file.name):
                yield file


def _raw_file(store: Any, info: Mapping[str, Any]) -> RawFile:
    name = str(info["name"])
    if _NO_NAME.search(name):
        raise DataError(f"{_shown(info)!r}: must be renamed: a path with ::, control signs or bytes that are no UTF-8")
    path = name if isinstance(store, LocalFileSystem) else str(store.unstrip_protocol(name))
    return RawFile(path, int(info["size"]), _modified(info))


def _modified(info: Mapping[str, Any]) -> datetime | None:
    value = next((info[key] for key in _MODIFIED_KEYS if info.get(key) is not None), None)
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return datetime.fromtimestamp(value, UTC) if isinstance(value, int | float) else None


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
