"""The library's order: a room imports only rooms to its left."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

LIBRARY = Path(__file__).parents[2] / "lib" / "nightreel"
ORDER = (
    *("errors", "arguments", "progress", "settings", "session", "tables"),
    *("sources", "prepare", "neural", "models", "evaluate", "recommend", "ask", "job", "nightly", "report", "project"),
)
ALLOWED = {room: {room, *ORDER[:place]} for place, room in enumerate(ORDER)} | {
    "sample": {"errors", "sample"},
    "cli": {"errors", "arguments", "progress", "sample", "settings", "ask", "report", "tables", "job"},
}


def rooms_imported(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            named = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            named = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (parts[1] for name in named if (parts := name.split("."))[0] == "nightreel" and len(parts) > 1)


def wrong_imports(file: str, source: str) -> list[str]:
    room = file.partition("/")[0].removesuffix(".py")
    return [name for name in rooms_imported(source) if name != "__version__" and name not in ALLOWED[room]]


def test_a_room_imports_only_rooms_to_its_left() -> None:
    files = {file.relative_to(LIBRARY).as_posix(): file.read_text(encoding="utf-8") for file in LIBRARY.rglob("*.py")}
    del files["__init__.py"]
    assert {file: wrong for file, source in files.items() if (wrong := wrong_imports(file, source))} == {}


@pytest.mark.parametrize(
    ("file", "source", "wrong"),
    [
        ("prepare/text.py", "from nightreel import models, __version__", ["models"]),
        ("models/als.py", "def fit():\n    import nightreel.nightly.steps", ["nightly"]),
        ("settings/layers.py", "from nightreel.session.java import require_java", ["session"]),
        ("cli.py", "from nightreel.sample import generate\nfrom nightreel.nightly import train", ["nightly"]),
        ("sample/world.py", "from nightreel.progress import step", ["progress"]),
        ("report/html.py", "from nightreel.models.contract import TrainedModel\nimport numpy", []),
    ],
)
def test_a_wrong_import_is_found_wherever_it_stands(file: str, source: str, wrong: list[str]) -> None:
    assert wrong_imports(file, source) == wrong


def test_every_folder_is_a_package() -> None:
    """Executors import the library from a zip, where Python finds no folder without an `__init__.py`."""
    folders = {file.parent for file in LIBRARY.rglob("*.py")}
    assert [folder.name for folder in sorted(folders) if not (folder / "__init__.py").is_file()] == []
