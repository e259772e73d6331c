"""Raw files wherever fsspec finds them: local folders, object stores, HDFS, and zip archives in any of these."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, Any, cast

from fsspec.core import has_magic, url_to_fs
from fsspec.implementations.local import LocalFileSystem

from nightreel.errors import ConfigurationError
from nightreel.sources import archives

EVERY_FOLDER = "*"
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
        inside, _ = archives.split(self.path)
        return inside.rpartition("/")[2]

    @property
    def folder(self) -> str:
        inside, archive = archives.split(self.path)
        above = inside.rpartition("/")[0]
        return archives.address(above, archive) if archive else above or "/"


def open_bytes(path: str) -> IO[bytes]:
    inside, archive = archives.split(path)
    store, place = url_to_fs(archive or path)
    stream = cast(IO[bytes], store.open(place, "rb"))
    return archives.open_member(stream, inside) if archive else stream


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
    below : where in a folder to look: "" is the folder itself, EVERY_FOLDER all those in it

    Raises
    ------
    ConfigurationError : the path does not exist, the glob matches nothing, or nothing opens paths of that kind
    DataError : an archive is damaged or encrypted
    """
    inside, archive = archives.split(path)
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
        raise ConfigurationError(f"{setting}: {path}: no such file or folder")
    return store, [info for info in matches if info["type"] == "directory" or _in_glob(info, in_glob)]


def _in_glob(info: Mapping[str, Any], in_glob: Callable[[str], bool]) -> bool:
    name = str(info["name"]).rpartition("/")[2]
    return archives.is_archive(name) or in_glob(name)


def _files(
    store: Any, info: Mapping[str, Any], in_folder: Callable[[str], bool], below: Iterable[str]
) -> Iterator[RawFile]:
    if info["type"] != "directory":
        file = _raw_file(store, info)
        yield from _members(file, in_folder) if archives.is_archive(file.path) else [file]
        return
    places = [place for folder in below for place in _places(store, info["name"].rstrip("/"), folder)]
    infos = (one for place in places for one in store.ls(place, detail=True) if one["type"] == "file")
    listed = [_raw_file(store, one) for one in infos]
    own = [file for file in listed if in_folder(file.name)]
    packed = (file for file in listed if archives.is_archive(file.path))
    yield from own or (member for file in packed for member in _members(file, in_folder))


def _places(store: Any, folder: str, below: str) -> Iterator[str]:
    if below == EVERY_FOLDER:
        yield from (one["name"] for one in store.ls(folder, detail=True) if one["type"] == "directory")
    elif store.isdir(f"{folder}/{below}".rstrip("/")):
        yield f"{folder}/{below}".rstrip("/")


def _packed(inside: str, archive: str, *, setting: str, in_folder: Callable[[str], bool]) -> Iterator[RawFile]:
    """A file in an archive, or what counts in a folder of it."""
    store, infos = _look_up(archive, setting=setting, in_glob=archives.is_archive)
    held = [member for info in infos for member in _members(_raw_file(store, info), lambda _: True)]
    place = inside.strip("/")
    there = [(file, archives.split(file.path)[0]) for file in held]
    there = [(file, at) for file, at in there if not place or f"{at}/".startswith(f"{place}/")]
    if not there:
        raise ConfigurationError(f"{setting}: {archives.address(inside, archive)}: no such file or folder")
    yield from (file for file, at in there if at == place or in_folder(file.name))


def _members(archive: RawFile, in_folder: Callable[[str], bool]) -> Iterator[RawFile]:
    with open_bytes(archive.path) as stream:
        for inside, size in archives.members(stream, archive.path):
            file = RawFile(archives.address(inside, archive.path), size, archive.modified_at)
            if in_folder(file.name):
                yield file


def _raw_file(store: Any, info: Mapping[str, Any]) -> RawFile:
    name = str(info["name"])
    path = name if isinstance(store, LocalFileSystem) else str(store.unstrip_protocol(name))
    return RawFile(path, int(info["size"]), _modified(info))


def _modified(info: Mapping[str, Any]) -> datetime | None:
    value = next((info[key] for key in _MODIFIED_KEYS if info.get(key) is not None), None)
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return datetime.fromtimestamp(value, UTC) if isinstance(value, int | float) else None
