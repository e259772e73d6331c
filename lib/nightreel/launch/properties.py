"""Spark's properties of an environment: conf/spark/<env>.conf, and how much memory one machine gives."""

from __future__ import annotations

import os
import re
from importlib.resources.abc import Traversable
from pathlib import Path

from nightreel.errors import ConfigurationError
from nightreel.settings.layers import conf_folder

_GIB = 1 << 30
_CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def read_properties(env: str) -> dict[str, str]:
    """conf/spark/<env>.conf: a property and its value a line, `#` for comments.

    On one machine (a local master) spark.driver.memory, where the file leaves it open, is two fifths of the
    machine's memory.

    Raises
    ------
    ConfigurationError : there is no such file, or a line is not `spark.name value`
    """
    folder = conf_folder() / "spark"
    known = sorted(file.name.removesuffix(".conf") for file in folder.iterdir() if file.name.endswith(".conf"))
    if env not in known:
        raise ConfigurationError(f"--env {env}: there is no conf/spark/{env}.conf; known: {', '.join(known)}")
    properties = dict(_property(line, env) for line in _lines(folder / f"{env}.conf"))
    if is_local(properties):
        properties.setdefault("spark.driver.memory", driver_memory(machine_memory()))
    return properties


def is_local(properties: dict[str, str]) -> bool:
    """Whether everything runs in the driver's process."""
    return re.fullmatch(r"local(\[.*\])?", properties.get("spark.master", "")) is not None


def driver_memory(machine: int) -> str:
    """Two fifths of the machine's bytes, in whole GiB, 1 to 16; Python and the page cache need the rest."""
    return f"{min(max(machine * 2 // 5 // _GIB, 1), 16)}g"


def machine_memory() -> int:
    """Bytes this process may use: the machine's, or the container's limit where that is lower."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limits = [file.read_text(encoding="ascii").strip() for file in _CGROUP_LIMITS if file.is_file()]
    return min([machine, *(int(limit) for limit in limits if limit.isdigit())])


def _lines(file: Traversable) -> list[str]:
    lines = (line.strip() for line in file.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _property(line: str, env: str) -> tuple[str, str]:
    """Java's rule: the name ends at the first blank, `=` or `:`."""
    parts = re.fullmatch(r"(spark\.[^\s=:]+)(?:\s*[=:]\s*|\s+)(?![=:])(\S.*)", line)
    if parts is None:
        raise ConfigurationError(f"conf/spark/{env}.conf: {line!r}: must be `spark.name value`")
    return parts.group(1), parts.group(2)
