"""The library and its configuration as one zip that executors can import."""

from __future__ import annotations

import hashlib
import os
import zipfile
from pathlib import Path

_EPOCH = (1980, 1, 1, 0, 0, 0)


def bundle(home: Path, cache: Path) -> Path:
    """The zip for this state of the code, built unless `cache` has it.

    It holds nightreel/ with conf/ inside, as the wheel does, and is named for a hash of its content: two jobs of
    one state share a file, and an edit while a job runs does not reach that job.
    """
    members = _members(home)
    digest = hashlib.sha256()
    for name, file in members.items():
        digest.update(f"{name}\0{file.stat().st_size}\0".encode())
        digest.update(file.read_bytes())
    target = cache / f"nightreel-{digest.hexdigest()[:12]}.zip"
    if not target.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        _write(members, target)
    return target


def _members(home: Path) -> dict[str, Path]:
    package, conf = home / "lib" / "nightreel", home / "conf"
    names = {f"nightreel/{file.relative_to(package).as_posix()}": file for file in _files(package)}
    names |= {f"nightreel/conf/{file.relative_to(conf).as_posix()}": file for file in _files(conf)}
    return dict(sorted(names.items()))


def _files(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file() and file.suffix != ".pyc"]


def _write(members: dict[str, Path], target: Path) -> None:
    unfinished = target.with_suffix(f".{os.getpid()}")
    with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, file in members.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), file.read_bytes(), zipfile.ZIP_DEFLATED)
    unfinished.replace(target)
