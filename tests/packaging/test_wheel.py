"""The wheel installs and works in an environment that has neither Spark nor the checkout."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path
from typing import NamedTuple

import pytest

HOME = Path(__file__).parents[2]
IMPORTS = """
import nightreel, sys
import nightreel.cli
from nightreel import open_store
from nightreel.settings import load
settings = load("local")
assert "pyspark" not in sys.modules and "torch" not in sys.modules
print(nightreel.__file__, settings.tables.dataset)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(HOME)]
    subprocess.run(command, check=True, capture_output=True)
    (built,) = folder.iterdir()
    return built


def test_what_the_wheel_holds(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    library = {f"nightreel/{file.relative_to(HOME / 'lib' / 'nightreel')}" for file in (HOME / "lib").rglob("*.py")}
    conf = {
        f"nightreel/conf/{file.relative_to(HOME / 'conf')}" for file in (HOME / "conf").rglob("*") if file.is_file()
    }
    metadata = {name for name in names if ".dist-info/" in name}
    jobs = {f"nightreel/jobs/{file.name}" for file in (HOME / "jobs").glob("*.py")}
    assert names - metadata == library | conf | jobs | {"nightreel/py.typed", "nightreel/report/page.html"}
    assert any(name.endswith("licenses/LICENSE") for name in metadata)


def test_the_wheel_asks_for_neither_spark_nor_torch(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (name,) = (name for name in archive.namelist() if name.endswith("METADATA"))
    wanted = re.findall(r"^Requires-Dist: (\S+?)[\[<>=;].*$", archive.read(name).decode(), re.MULTILINE)
    hard = re.findall(r"^Requires-Dist: ([\w-]+)[^;\n]*$", archive.read(name).decode(), re.MULTILINE)
    assert {"pyspark", "torch", "petastorm"} <= set(wanted)
    assert not {"pyspark", "torch", "petastorm", "delta-spark"} & set(hard)


class Installed(NamedTuple):
    """The wheel in an environment of its own."""

    folder: Path
    site: Path

    def run(self, *words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        alone = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        python = self.folder / "bin" / "python"
        return subprocess.run([python, *words], capture_output=True, text=True, check=False, cwd=cwd, env=alone)


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Its requirements come from this environment's folder, named in a .pth as the checkout's own is not."""
    folder = tmp_path_factory.mktemp("clean") / "venv"
    venv.create(folder, with_pip=False)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", "--no-index", str(wheel)], check=True, capture_output=True)
    (site / "requirements.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    return Installed(folder, site)


def test_a_clean_environment_runs_it(installed: Installed, tmp_path: Path) -> None:
    ended = installed.run("-c", IMPORTS, cwd=tmp_path)
    assert ended.stdout == f"{installed.site / 'nightreel' / '__init__.py'} netflix\n", ended.stderr
    command = [installed.folder / "bin" / "nightreel", "--version"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.startswith("nightreel ")


JOBS = """
import sys
from pathlib import Path
from nightreel.sample import generate
from nightreel.session import spark_session
import nightreel.job.entry as entry
folder = Path(sys.argv[1])
generate(folder / "raw", format="netflix", ratings=3_000, seed=2, broken_lines=0, duplicates=0)
spark = spark_session.start("local", checkpoints=str(folder / "checkpoints"), spark__driver__memory="1g")
words = [f"--set={name}={value}" for name, value in {
    "data.path": folder / "raw", "tables.root": folder / "tables", "gate.enforce": "false",
    "nightly.models": '["popular", "baseline"]', "filter.min_ratings_per_user": 0, "filter.min_ratings_per_item": 0,
}.items()]
for job in ("ingest", "prepare", "nightly"):
    entry.main([job, "--env=local", "--run-date=2026-01-31", *words])
assert spark.range(3).count() == 3, "the session that was given goes on"
print(entry._folder())
"""


def test_the_jobs_run_from_the_wheel_in_a_session_that_is_given(installed: Installed, tmp_path: Path) -> None:
    """As a task of the Databricks bundle calls them: no checkout, and no SystemExit at a good end."""
    ended = installed.run("-c", JOBS, str(tmp_path), cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr[-2000:]
    assert ended.stdout.splitlines()[-1] == str(installed.site / "nightreel" / "jobs")
    assert (tmp_path / "tables" / "netflix" / "gold_champion").is_dir()


def test_every_requirement_is_pinned() -> None:
    text = (HOME / "pyproject.toml").read_text(encoding="utf-8")
    pinned = dict(
        re.findall(r"^([\w.-]+)==(\S+)$", (HOME / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)
    )
    tables = re.findall(r"^(?:dependencies|spark|neural|dev|bench) = \[(.*?)\]$", text, re.MULTILINE | re.DOTALL)
    names = {name.lower() for table in tables for name in re.findall(r'"([\w-]+)', table)}
    assert names >= {"pyspark", "torch", "pydantic", "ruff"}
    assert names - set(pinned) == set()
    assert pinned["delta-spark"] == "4.4.0"
