"""Raw files wherever fsspec finds them: local folders, object stores, HDFS."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, Any, cast

from fsspec.core import has_magic, url_to_fs
from fsspec.implementations.local import LocalFileSystem

from nightreel.errors import ConfigurationError

_MODIFIED_KEYS = ("mtime", "LastModified", "last_modified", "updated", "created")


@dataclass(frozen=True, slots=True)
class RawFile:
    """A file as its store lists it. `path` is absolute, with its protocol unless local; the size is in bytes."""

    path: str
    size: int
    modified_at: datetime | None

    @property
    def folder(self) -> str:
        return self.path.rpartition("/")[0] or "/"


def open_bytes(path: str) -> IO[bytes]:
    filesystem, inside = url_to_fs(path)
    return cast(IO[bytes], filesystem.open(inside, "rb"))


def find(
    path: str,
    *,
    setting: str,
    in_folder: Callable[[str], bool],
    in_glob: Callable[[str], bool],
    below: Sequence[str] = ("",),
) -> list[RawFile]:
    """The files a path, folder or glob names, in the order of their paths.

    Parameters
    ----------
    setting : where the path comes from, for the errors
    in_folder, in_glob : which names count where a folder or a glob brought them; a file named by itself counts
    below : where in a folder to look: "" is the folder itself

    Raises
    ------
    ConfigurationError : the path does not exist, the glob matches nothing, or nothing opens paths of that kind
    """
    try:
        filesystem, inside = url_to_fs(path)
    except (ValueError, ImportError) as error:
        raise ConfigurationError(f"{setting}: {path}: {error}") from None
    if filesystem.exists(inside):
        infos = [filesystem.info(inside)]
    else:
        matches = filesystem.glob(inside, detail=True).values() if has_magic(inside) else ()
        infos = [info for info in matches if info["type"] == "directory" or in_glob(_name(info))]
        if not matches:
            raise ConfigurationError(f"{setting}: {path}: no such file or folder")
    files = (file for info in infos for file in _files(filesystem, info, in_folder, below))
    return sorted(files, key=lambda file: file.path)


def _files(
    filesystem: Any, info: Mapping[str, Any], in_folder: Callable[[str], bool], below: Iterable[str]
) -> Iterator[RawFile]:
    if info["type"] != "directory":
        yield _raw_file(filesystem, info)
        return
    for place in (f"{info['name'].rstrip('/')}/{folder}".rstrip("/") for folder in below):
        if filesystem.isdir(place):
            listed = filesystem.ls(place, detail=True)
            yield from (_raw_file(filesystem, one) for one in listed if one["type"] == "file" and in_folder(_name(one)))


def _name(info: Mapping[str, Any]) -> str:
    return str(info["name"]).rpartition("/")[2]


def _raw_file(filesystem: Any, info: Mapping[str, Any]) -> RawFile:
    name = str(info["name"])
    path = name if isinstance(filesystem, LocalFileSystem) else str(filesystem.unstrip_protocol(name))
    return RawFile(path, int(info["size"]), _modified(info))


def _modified(info: Mapping[str, Any]) -> datetime | None:
    value = next((info[key] for key in _MODIFIED_KEYS if info.get(key) is not None), None)
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return datetime.fromtimestamp(value, UTC) if isinstance(value, int | float) else None
