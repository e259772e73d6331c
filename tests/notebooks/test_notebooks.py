"""The notebooks, run in their order on a small dump, as Databricks and Jupyter run them: cell by cell."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from nightreel import Project
from nightreel.errors import ConfigurationError
from nightreel.report.report import write_report
from nightreel.sample import generate
from nightreel.tables.catalog import CatalogSnapshot

FOLDER = Path(__file__).parents[2] / "notebooks"
NAMES = [file.name for file in sorted(FOLDER.glob("*.py"))]


class Widgets:
    """What dbutils.widgets does: a job's parameters, or a default."""

    def __init__(self, given: dict[str, str]) -> None:
        self.given = given

    def text(self, name: str, default: str) -> None:
        self.given.setdefault(name, default)

    def get(self, name: str) -> str:
        return self.given[name]


class Utilities:
    def __init__(self, given: dict[str, str]) -> None:
        self.widgets = Widgets(given)


Run = Callable[[str], dict[str, Any]]


@pytest.fixture(scope="module")
def run(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("notebooks")
    generate(folder / "raw", format="netflix", ratings=12_000, seed=2, broken_lines=6, duplicates=0)
    given = {"data": str(folder / "raw"), "tables": str(folder / "tables"), "epochs": "1"}

    def one(name: str) -> dict[str, Any]:
        """The notebook's names at its end; `shown` holds what it displayed, `said` what it printed."""
        shown, said = list[Any](), list[str]()
        names: dict[str, Any] = {
            "spark": spark,
            "dbutils": Utilities(dict(given)),
            "display": shown.append,
            "print": lambda *words: said.append(" ".join(map(str, words))),
        }
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            for cell in (FOLDER / name).read_text(encoding="utf-8").split("# COMMAND ----------"):
                exec(compile(cell, name, "exec"), names)
        rows = [frame.collect() if hasattr(frame, "collect") else frame for frame in shown]
        return {**names, "shown": rows, "said": said, "folder": folder}

    return one


def test_a_dump_is_explored(run: Run) -> None:
    found = run("01_explore_a_dump.py")
    by_value, by_month, films, people, reasons = found["shown"]
    assert sum(row["count"] for row in by_value) == 12_000
    assert sum(row["count"] for row in by_month) == 12_000
    assert len(films) == 20 and films[0]["n_ratings"] >= films[-1]["n_ratings"]
    assert sum(row["ratings"] for row in people) == found["tables"].read("silver_interactions").count()
    assert sum(row["lines"] for row in reasons) == 6


def test_models_are_compared(run: Run) -> None:
    found = run("02_train_and_compare.py")
    (board,) = found["shown"]
    assert set(board.candidate) == {"popular", "baseline", "ease", "item_cosine"}
    assert board["ndcg@10"].max() > 0
    assert any(line.startswith("baseline: rmse ") for line in found["said"][1].splitlines())
    assert (found["folder"] / "comparison.html").stat().st_size > 1_000_000


def test_a_network_is_trained(run: Run) -> None:
    (curves,) = run("03_neural_training.py")["shown"]
    assert len(curves) == 1 and curves[0]["epoch"] == 1
    assert curves[0]["train"] > 0 and curves[0]["validation"] > 0


def test_people_are_answered(run: Run) -> None:
    found = run("04_recommendations.py")
    (lists,) = found["shown"]
    assert {row["rank"] for row in lists} == {1, 2, 3, 4, 5}
    assert all(row["title"] for row in lists)
    assert len(found["said"]) >= 5 + 5 + 1 + 1 + 5
    assert "the closed form" in " ".join(found["said"])


def test_nights_are_looked_into(run: Run) -> None:
    found = run("05_look_into_the_nights.py")
    runs, metrics = found["shown"][:2]
    assert {"popular", "baseline", "ease", "als_implicit", "mf_bias"} == {row["model"] for row in runs}
    assert any(row["ndcg@10"] for row in metrics) and any(row["rmse"] for row in metrics)
    assert found["said"][0].startswith("0 ") and (found["folder"] / "report.html").exists()


def test_a_catalog_gives_the_answers_of_the_folder(run: Run, spark: SparkSession) -> None:
    """After the notebooks have run: the same tables, by their names in a catalog."""
    found = run("05_look_into_the_nights.py")
    here = found["project"].store
    spark.sql("CREATE SCHEMA spark_catalog.netflix")
    for name in here.snapshot.tables:
        spark.sql(f"CREATE TABLE spark_catalog.netflix.{name} USING delta LOCATION '{here.snapshot.path(name)}'")
    there = Project([*found["settings"], "tables.catalog=spark_catalog"]).store
    assert isinstance(there.snapshot, CatalogSnapshot)
    assert there.snapshot.tables == here.snapshot.tables
    user = here.snapshot.dicts("silver_users", order="user_idx LIMIT 1")[0]["user_id"]
    known = [item.item_id for item in here.popular(n=3)]
    for ask in (
        lambda store: store.recommend(user, n=5),
        lambda store: store.recommend(user, n=5, model="ease"),
        lambda store: store.rate(like=known),
        lambda store: store.similar(known[0]),
        lambda store: store.explain(user, known[0], model="als_implicit").reasons[:5],
        lambda store: store.runs(),
        lambda store: store.metrics(),
        lambda store: store.tables(),
    ):
        assert ask(there) == ask(here)
    with pytest.raises(ConfigurationError, match="there are: "):
        there.recommend("no such user")
    write_report(there, str(found["folder"] / "of_catalog.html"))
    sizes = [(found["folder"] / name).stat().st_size for name in ("report.html", "of_catalog.html")]
    assert sizes[1] == pytest.approx(sizes[0], rel=0.01)


@pytest.mark.parametrize("name", NAMES)
def test_each_keeps_the_format_that_databricks_and_jupyter_open(name: str) -> None:
    text = (FOLDER / name).read_text(encoding="utf-8")
    cells = text.split("# COMMAND ----------\n")
    assert text.startswith("# Databricks notebook source\n# MAGIC %md\n# MAGIC # ")
    assert 6 <= len(cells) <= 20
    for cell in cells[1:]:
        magic = [line for line in cell.strip().splitlines() if line.startswith("# MAGIC")]
        assert not magic or len(magic) == len(cell.strip().splitlines())
