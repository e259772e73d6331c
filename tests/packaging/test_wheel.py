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


def test_a_clean_environment_runs_it(wheel: Path, tmp_path: Path) -> None:
    """Its requirements come from this environment's folder, named in a .pth as the checkout's own is not."""
    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv" / "bin" / "python"
    site = Path(sysconfig.get_path("purelib", vars={"base": str(tmp_path / "venv")}))
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, str(wheel)], check=True, capture_output=True)
    (site / "requirements.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    alone = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ended = subprocess.run(
        [python, "-c", IMPORTS], capture_output=True, text=True, check=False, cwd=tmp_path, env=alone
    )
    assert ended.stdout == f"{site / 'nightreel' / '__init__.py'} netflix\n", ended.stderr
    command = [tmp_path / "venv" / "bin" / "nightreel", "--version"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.startswith("nightreel ")


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
