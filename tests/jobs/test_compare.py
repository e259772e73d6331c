"""The compare job: figures that do not depend on where a model is trained, going on, failures, and what is refused."""

from __future__ import annotations

import os
import signal
import tomllib
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from pyspark.sql import SparkSession
from tests.jobs.conftest import Ended, RunJob, run_here, settings_in, write_dump

from nightreel.evaluate.cells import Measures, in_memory
from nightreel.evaluate.comparison import Candidate, candidates
from nightreel.models import HYPERPARAMETERS, create
from nightreel.models.classical.neighbours import ItemKnn
from nightreel.settings import load

Compare = Callable[..., Ended]
QUICK = (
    "filter.min_ratings_per_user=0",
    "filter.min_ratings_per_item=0",
    "split.validation_share=0.2",
    "ingest.measure=false",
    "compare.folds=2",
)
BOTH_WAYS = ("popular", "baseline", "weighted_mean", "ease")
"""They are the same models wherever they are trained."""


@pytest.fixture(scope="module")
def folder(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compare")
    write_dump(folder / "raw", users=20, movies=9)
    for job in ("ingest", "prepare"):
        assert run_here(job, *arguments(folder)).code == 0
    return folder


def arguments(folder: Path) -> list[str]:
    return [*settings_in(folder, folder / "raw"), *(word for text in QUICK for word in ("--set", text))]


@pytest.fixture
def compare(folder: Path, run_job: RunJob) -> Compare:
    return lambda *more: run_job("compare", *arguments(folder), *more)


def models(*names: str) -> list[str]:
    return [word for name in names for word in ("--model", name)]


def results(path: Path) -> pd.DataFrame:
    return pd.read_csv(path).set_index(["candidate", "fold", "metric"]).sort_index()


def test_a_cell_is_the_same_in_memory_and_on_spark(compare: Compare, tmp_path: Path, folder: Path) -> None:
    frames = []
    for way, rows in (("memory", "1_000"), ("spark", "0")):
        more = ["--csv", str(tmp_path / f"{way}.csv"), "--set", f"compare.in_memory_rows={rows}"]
        # Another seed of the split's evaluation makes another comparison, so that nothing is taken from the first.
        more += ["--set", f"scale.lowest={1.0 if way == 'memory' else 1.0 - 1e-9}"]
        ended = compare(*models(*BOTH_WAYS), *more)
        assert ended.code == 0, ended.err
        frames.append(results(tmp_path / f"{way}.csv"))
    memory, spark = frames
    assert memory.error.isna().all() and spark.error.isna().all()
    assert memory.index.tolist() == spark.index.tolist()
    assert memory.value.to_numpy() == pytest.approx(spark.value.to_numpy(), abs=1e-5, nan_ok=True)
    assert (memory.rows == spark.rows).all()
    assert memory.peak_bytes.min() > 1 << 20 and spark.peak_bytes.isna().all()


def test_it_goes_on_where_it_was_and_shows_what_failed(compare: Compare, tmp_path: Path) -> None:
    rows = ["--set", "compare.seed=7"]  # other folds than the other tests
    first = compare(*models("popular", "funk_svd"), *rows)
    assert first.err.count("fold 0: ndcg@10") == 2
    page, table = tmp_path / "page.html", tmp_path / "table.md"
    grid = ["--grid", "ease.min_rating=4.0,9.0", "--page", str(page), "--markdown", str(table)]
    second = compare(*models("popular", "funk_svd", "ease"), *grid, *rows)
    assert second.code == 0, second.err
    assert "popular, fold" not in second.err and "funk_svd, fold" not in second.err  # known from the first
    assert second.err.count("ease min_rating=4, fold") == 2
    assert "failed: ease min_rating=9: DataError: ease: no training rating of at least min_rating = 9.0" in second.out
    lines = table.read_text().splitlines()
    assert [line.split("|")[1].strip() for line in lines[2:6]][-1] == "ease min_rating=9"
    drawn = page.read_text()
    assert all(text in drawn for text in ("By fold", "Quality against cost", "ease min_rating=9", "plotly.js"))
    third = compare(*models("ease"), "--grid", "ease.min_rating=9.0", *rows)
    assert "ease min_rating=9, fold 0: DataError" in third.err  # a cell that failed is tried again


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        (models("svdpp"), "compare: model svdpp: unknown; did you mean svd_pp? known: random, "),
        (
            [*models("als"), "--grid", "als.rnk=3"],
            "compare: --grid als.rnk: unknown key; did you mean rank? known here: baseline, ",
        ),
        (["--set", "compare.metric=ndcg@3"], "compare: compare.metric = ndcg@3: unknown; measured here: rmse, "),
        (["--tune", "als", "--model", "als"], "compare: --tune: chooses one model's hyperparameters; --model, "),
        (["--write", "als.toml"], "compare: --write: goes with --tune"),
        (["--page", "/nowhere/page.html"], "compare: /nowhere/page.html: there is no folder /nowhere"),
        (["--set", "compare.folds=1"], "compare: [compare] (--set): folds must be 2 or more"),
    ],
)
def test_what_is_wrong_is_said_before_spark_starts(
    run_without_spark: RunJob, tmp_path: Path, more: list[str], complaint: str
) -> None:
    ended = run_without_spark("compare", *settings_in(tmp_path, tmp_path), *more)
    assert ended.code == 2
    assert ended.complaint.startswith(complaint)


def test_a_fold_without_rows_and_a_model_too_large_are_refused(
    compare: Compare, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = compare(*models("popular"), "--set", "compare.folds=500")
    assert ended.code == 2
    assert "compare.folds = 500: no row is in fold" in ended.complaint
    monkeypatch.setattr(ItemKnn, "most_items", 3)
    ended = compare(*models("popular", "item_knn"))
    assert ended.code == 2
    assert ended.complaint.startswith("compare: model item_knn: 9 items, and it compares each with each")
    assert "popular, fold" not in ended.err  # before anything is trained


def test_blends_are_measured_on_spark_too(compare: Compare) -> None:
    """The weights of one are learnt on rows of their own; the other has no user with a positive."""
    settings = ["models.blend.members=['baseline', 'item_mean']", "models.blend_lists={half = 0.0, min_rating = 9.0}"]
    settings += ["compare.in_memory_rows=0", "compare.strategy=split"]
    ended = compare(*models("blend", "blend_lists"), *(word for text in settings for word in ("--set", text)))
    assert ended.code == 0, ended.err
    assert "failed: " not in ended.out
    assert "blend_lists, fold 0: ndcg@10 " in ended.err


def test_hyperparameters_are_chosen_on_validation_rows(compare: Compare, tmp_path: Path) -> None:
    """From the fragment the settings can be read back; the metric of the last rung is in its comments."""
    written = tmp_path / "funk_svd.toml"
    more = ["--set", "compare.metric=rmse", "--set", "compare.workers=1", "--write", str(written)]
    ended = compare("--tune", "funk_svd", *more)
    assert ended.code == 0, ended.err
    text = written.read_text()
    assert text.startswith("# Chosen by `compare --tune funk_svd`: rmse on ")
    chosen = tomllib.loads(text)["models"]["funk_svd"]
    assert set(chosen) == {"rank", "epochs", "rate", "reg", "init_std"}
    rungs = [line.split(" of the users: ")[0] for line in ended.err.splitlines() if " of the users: " in line]
    assert rungs == ["25%"] * 16 + ["50%"] * 6 + ["100%"] * 3
    refused = compare("--tune", "popular")
    assert refused.code == 2
    assert "--tune popular: has no numbers to tune" in refused.complaint


def test_a_process_that_the_system_ends_costs_its_own_cell_only(spark: SparkSession) -> None:
    chosen = load("local", [], models=HYPERPARAMETERS)

    class Dies(type(create("popular", chosen))):  # type: ignore[misc]
        def fit_arrays(self, *_: object, **__: object) -> None:
            os.kill(os.getpid(), signal.SIGKILL)

    deadly = Candidate("dies", "popular", Dies(chosen.models["popular"]))
    others = candidates(chosen, models=["popular", "item_mean"])
    rows = spark.createDataFrame(
        [(user, item, 4.0, (user + item) % 2) for user in range(9) for item in range(5)],
        "user_idx int, item_idx int, rating float, fold int",
    )
    wanted = [(fold, one) for one in (others[0], deadly, others[1]) for fold in (0, 1)]
    measures = Measures(chosen.evaluate, chosen.scale, 0)
    cells = {(cell.candidate.label, cell.fold): cell.error for cell in in_memory(rows, wanted, measures, workers=2)}
    assert len(cells) == 6
    assert {label for (label, _), error in cells.items() if error} == {"dies"}
    assert "was ended by the system" in str(cells["dies", 0])
