"""The pages say what the code does: generated ones are current, commands parse, links lead somewhere."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path

import pytest

from nightreel import cli
from nightreel.errors import ConfigurationError
from nightreel.models import HYPERPARAMETERS
from nightreel.settings import Settings
from nightreel.tables import SCHEMAS

HOME = Path(__file__).parents[2]
PAGES = [HOME / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "bench/README.md")]
PAGES += sorted((HOME / "docs").glob("*.md"))
OF_ALL_JOBS = {"--env", "--set", "--run-date", "--remote", "--help"}


def words_after(command: str) -> list[tuple[str, list[str]]]:
    """(page, words) of every line of code that runs the command."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8").replace("\\\n", " ")
        for line in text.splitlines():
            code = line.strip()
            if code.startswith(command) and line.startswith("    "):
                found.append((page.name, shlex.split(code.partition("  #")[0])[1:]))
    return found


def test_the_generated_pages_are_current() -> None:
    spec = importlib.util.spec_from_file_location("generate", HOME / "docs" / "generate.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.outdated() == [], "run docs/generate.py"


def test_every_model_setting_and_table_has_its_place() -> None:
    models, settings, tables = (
        (HOME / "docs" / name).read_text(encoding="utf-8") for name in ("models.md", "configuration.md", "tables.md")
    )
    assert [name for name in HYPERPARAMETERS if f"\n## {name}\n" not in models] == []
    assert [name for name in SCHEMAS if f"\n## {name}\n" not in tables] == []
    keys = [
        f"{section}.{key}"
        for section, field in Settings.model_fields.items()
        if section not in ("models", "training")
        for key in field.annotation.model_fields  # type: ignore[union-attr]
    ]
    assert [key for key in keys if f"`{key}" not in settings] == []


@pytest.mark.parametrize(("page", "words"), words_after(".venv/bin/nightreel ") + words_after("nightreel "))
def test_the_commands_of_the_pages_are_there(page: str, words: list[str]) -> None:
    refused = ""
    try:
        cli._parser().parse_args(words)
    except (ConfigurationError, SystemExit) as error:
        refused = str(error)
    assert refused == "", f"{page}: nightreel {' '.join(words)}"


@pytest.mark.parametrize(("page", "words"), words_after("./spark-submit.sh "))
def test_the_jobs_of_the_pages_and_their_flags_are_there(page: str, words: list[str]) -> None:
    if words[0] == "JOB":
        return
    job = HOME / "jobs" / f"{words[0]}.py"
    assert job.is_file(), page
    known = OF_ALL_JOBS | set(re.findall(r'"(--[a-z-]+)"', job.read_text(encoding="utf-8")))
    assert {word for word in words if word.startswith("--")} <= known, f"{page}: {' '.join(words)}"
    set_to = [words[place + 1] for place, word in enumerate(words) if word == "--set"]
    assert all("=" in text for text in set_to)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{page.name}: {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in anchors, f"{page.name}: {target}"
