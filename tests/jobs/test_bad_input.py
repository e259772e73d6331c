"""What a person can get wrong: each ends in one clear line and its exit code, and loses nothing."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from tests.jobs.conftest import DATE, Ended, RunJob, SettingsFor, settings_in, write_dump

from nightreel.errors import TableError
from nightreel.models.classical import biases
from nightreel.nightly.silver import current_prepare_id
from nightreel.settings import load
from nightreel.tables.tables import Tables

SMALL = {"filter__min_ratings_per_user": "0", "filter__min_ratings_per_item": "0", "split__test_share": "0.3"}


TWO_MODELS = [
    *DATE,
    "--set",
    'nightly.models=["item_mean", "popular"]',
    "--set",
    "recommend.model=item_mean",
    "--set",
    "gate.enforce=false",
]


@dataclass(frozen=True)
class Stopped:
    """A night on a small dump that failed at its second model: the dump, and the tables of the steps before."""

    ended: Ended
    raw: Path
    tables: Path


@pytest.fixture(scope="module")
def stopped(run_job: RunJob, tmp_path_factory: pytest.TempPathFactory) -> Stopped:
    folder = tmp_path_factory.mktemp("stopped")
    raw = write_dump(folder / "raw")

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the lights went out")

    with patch.object(biases.Popular, "fit", fail):
        ended = run_job("nightly", *settings_in(folder, raw, **SMALL), *TWO_MODELS)
    return Stopped(ended, raw, folder / "tables")


@pytest.fixture
def prepared(stopped: Stopped, tmp_path: Path) -> Path:
    """A small dump, not to be changed; its tables, with a run of item_mean, are in the test's own folder."""
    shutil.copytree(stopped.tables, tmp_path / "tables")
    return stopped.raw


def tables_of(spark: SparkSession, root: Path) -> Tables:
    return Tables(spark, load("local", [f"tables.root={root}"]).tables)


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["--env", "nowhere"], ["--env nowhere", "known:", "cluster", "local"]),
        (["--set", "filter.min_rating=3"], ["filter.min_rating", "--set", "unknown key", "min_ratings_per_user"]),
        (["--set", "filter.iterate=3"], ["filter.iterate = 3", "--set", "boolean"]),
        (["--set", "filter.min_ratings_per_user=-3"], ["filter.min_ratings_per_user = -3", "greater than or equal"]),
        (["--set", "nonsense"], ["--set nonsense", "section.key=value"]),
        (["--run-date", "yesterday"], ["--run-date", "yesterday", "YYYY-MM-DD"]),
        (["--run-date", "2026-1-1"], ["--run-date", "2026-1-1", "YYYY-MM-DD"]),
        (["--nonsense"], ["--nonsense", "--help"]),
        (["--set", "data.path=s3://me:s3cret@bucket/x"], ["data.path (--set)", "holds credentials"]),
        (["--set", "data.path=https://host/x?sv=1&sig=s3cret"], ["data.path (--set)", "holds credentials"]),
    ],
)
def test_bad_usage_is_one_line_and_exit_code_2(
    run_without_spark: RunJob, arguments: list[str], names: list[str]
) -> None:
    ended = run_without_spark("prepare", *arguments)
    assert ended.code == 2
    assert len(ended.err.strip().splitlines()) == 1
    assert all(name in ended.complaint for name in names), ended.complaint
    assert "s3cret" not in ended.err


@pytest.mark.parametrize(
    ("override", "names"),
    [
        ("models.als.rank=0", ["models.als.rank = 0", "--set"]),
        ("models.als.rnak=8", ["models.als.rnak", "unknown key", "rank"]),
    ],
)
def test_bad_hyperparameters_name_the_key(
    run_without_spark: RunJob, settings_for: SettingsFor, tmp_path: Path, override: str, names: list[str]
) -> None:
    ended = run_without_spark("train", "--model", "als", *settings_for(tmp_path), "--set", override)
    assert ended.code == 2
    assert all(name in ended.complaint for name in names), ended.complaint


def test_an_unknown_model_lists_the_known_ones(
    run_without_spark: RunJob, settings_for: SettingsFor, tmp_path: Path
) -> None:
    ended = run_without_spark("train", "--model", "svd++", *settings_for(tmp_path))
    assert ended.code == 2
    assert "svd++" in ended.complaint
    assert "als" in ended.complaint
    assert "baseline" in ended.complaint


@pytest.mark.parametrize(
    ("job", "arguments"),
    [
        ("train", ["--model", "svd++"]),
        ("ingest", ["--set", "data.path=/no/such/dump"]),
        ("nightly", ["--set", "data.path=/no/such/dump"]),
    ],
)
def test_what_is_plainly_wrong_is_said_before_spark_starts(
    run_without_spark: RunJob, settings_for: SettingsFor, tmp_path: Path, job: str, arguments: list[str]
) -> None:
    ended = run_without_spark(job, *settings_for(tmp_path), *arguments)
    assert ended.code == 2
    assert "start Spark" not in ended.err


def test_a_prepare_that_was_cut_off_is_noticed(
    spark: SparkSession,
    run_job: RunJob,
    settings_for: SettingsFor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    prepared: Path,
) -> None:
    raw = settings_for(prepared, **SMALL)
    replace = Tables.replace

    def only_the_users(self: Tables, table: str, rows: object, **stamp: str) -> None:
        if table != "silver_users":
            raise RuntimeError("the lights went out")
        replace(self, table, rows, **stamp)  # type: ignore[arg-type]

    with monkeypatch.context() as planted:
        planted.setattr(Tables, "replace", only_the_users)
        assert run_job("prepare", *raw, "--set", "split.seed=7").code == 1
    for job in (["train", "--model", "item_mean"], ["evaluate", "--model", "item_mean"]):
        ended = run_job(*job, *raw)
        assert ended.code == 1
        assert "different prepares" in ended.complaint
        assert "run prepare again" in ended.complaint
    assert run_job("prepare", *raw).code == 0
    assert run_job("evaluate", "--model", "item_mean", *raw).code == 0, "the same prepare as the run was trained on"


def test_a_run_of_other_indices_is_refused(
    run_job: RunJob, settings_for: SettingsFor, tmp_path: Path, prepared: Path
) -> None:
    raw = settings_for(prepared, **SMALL)
    shutil.rmtree(tmp_path / "tables" / "netflix" / "silver_interactions")
    assert run_job("prepare", *raw, "--set", "split.seed=7").code == 0
    ended = run_job("evaluate", "--model", "item_mean", *raw)
    assert ended.code == 1
    assert "train item_mean again" in ended.complaint


def test_what_was_checked_is_what_is_read(
    spark: SparkSession, run_job: RunJob, settings_for: SettingsFor, tmp_path: Path, prepared: Path
) -> None:
    """Another prepare while a job is at work: the job goes on with the rows whose indices it has checked."""
    tables, other = tables_of(spark, tmp_path / "tables"), tables_of(spark, tmp_path / "tables")
    before = current_prepare_id(tables), tables.read("silver_users").count()
    other.replace("silver_users", other.read("silver_users").limit(1), stamp="another")
    assert other.read("silver_users").count() == 1
    assert tables.read("silver_users").count() == before[1] > 1
    with pytest.raises(TableError, match="different prepares"):
        current_prepare_id(tables)


def test_a_model_of_an_earlier_date_is_found_by_its_date(
    spark: SparkSession, run_job: RunJob, settings_for: SettingsFor, tmp_path: Path, prepared: Path
) -> None:
    """The newest run until the date: a later one with other indices is not taken."""
    tables = tables_of(spark, tmp_path / "tables")
    (run,) = tables.few("gold_runs")
    later = run | {"run_id": "later", "run_date": run["run_date"] + timedelta(days=1), "prepare_id": "another"}
    tables.put("gold_runs", [later], "run_id = 'later'")
    raw = settings_for(prepared, **SMALL)
    assert run_job("evaluate", "--model", "item_mean", *raw, *DATE).code == 0
    assert "train item_mean again" in run_job("evaluate", "--model", "item_mean", *raw).complaint
    early = run_job("evaluate", "--model", "item_mean", *raw, "--run-date", "2001-01-01")
    assert early.code == 2
    assert "a date until 2001-01-01" in early.complaint


def test_rows_that_a_killed_ingest_did_not_measure_are_measured_by_the_next(
    spark: SparkSession, run_job: RunJob, settings_for: SettingsFor, tmp_path: Path, prepared: Path
) -> None:
    tables = tables_of(spark, tmp_path / "tables")
    expected = sorted(map(tuple, tables.read("bronze_quality").collect()), key=repr)
    shutil.rmtree(tmp_path / "tables" / "netflix" / "bronze_quality")
    ended = run_job("ingest", *settings_for(prepared, **SMALL))
    assert ended.code == 0 and "bronze_quality" in ended.out
    assert sorted(map(tuple, tables.read("bronze_quality").collect()), key=repr) == expected
    assert "bronze_quality" not in run_job("ingest", *settings_for(prepared, **SMALL)).out


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        ('["als", "alz"]', "nightly: model alz: unknown; did you mean als? known: "),
        ('["popular", "blend_lists"]', "nightly: model blend_lists: needs ease in nightly.models too"),
    ],
)
def test_a_night_that_cannot_train_a_model_stops_before_it_reads_anything(
    run_without_spark: RunJob, settings_for: SettingsFor, tmp_path: Path, names: str, complaint: str
) -> None:
    raw = settings_for(write_dump(tmp_path / "raw"))
    ended = run_without_spark("nightly", *raw, "--set", f"nightly.models={names}")
    assert ended.code == 2
    assert ended.complaint.startswith(complaint)
    assert not (tmp_path / "tables" / "netflix").exists()


def test_a_path_that_does_not_exist(run_without_spark: RunJob, settings_for: SettingsFor, tmp_path: Path) -> None:
    ended = run_without_spark("ingest", *settings_for(tmp_path / "nowhere"))
    assert ended.code in (1, 2)
    assert str(tmp_path / "nowhere") in ended.complaint
    assert "Traceback" not in ended.err


def test_a_folder_without_a_dump_says_what_is_looked_for(
    run_without_spark: RunJob, settings_for: SettingsFor, tmp_path: Path
) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "README.txt").write_text("nothing here\n")
    ended = run_without_spark("ingest", *settings_for(tmp_path / "raw"))
    assert ended.code in (1, 2)
    assert str(tmp_path / "raw") in ended.complaint
    assert "combined_data_" in ended.complaint


def test_too_many_rejects_refuse_before_anything_is_replaced(
    spark: SparkSession, run_job: RunJob, settings_for: SettingsFor, tmp_path: Path, prepared: Path
) -> None:
    raw = shutil.copytree(prepared, tmp_path / "raw")
    tables = tables_of(spark, tmp_path / "tables")
    before = {name: tables.version(name) for name in ("bronze_ratings", "bronze_files", "bronze_quarantine")}
    write_dump(raw, broken=10)
    ended = run_job("ingest", *settings_for(raw))
    assert ended.code == 1
    assert "ingest.max_reject_share" in ended.complaint
    assert before == {name: tables.version(name) for name in before}


def test_filters_that_leave_nothing(run_job: RunJob, settings_for: SettingsFor, tmp_path: Path, prepared: Path) -> None:
    for silver in (tmp_path / "tables" / "netflix").glob("silver_*"):
        shutil.rmtree(silver)
    ended = run_job("prepare", *settings_for(prepared), "--set", "filter.min_ratings_per_user=1000")
    assert ended.code == 1
    assert "min_ratings_per_user" in ended.complaint
    assert not (tmp_path / "tables" / "netflix" / "silver_interactions").exists()


def test_prepare_before_ingest_names_the_job_to_run(run_job: RunJob, settings_for: SettingsFor, tmp_path: Path) -> None:
    ended = run_job("prepare", *settings_for(tmp_path))
    assert ended.code == 1
    assert "bronze_ratings" in ended.complaint
    assert "ingest" in ended.complaint


def test_a_table_root_that_cannot_be_a_folder(run_job: RunJob, settings_for: SettingsFor, tmp_path: Path) -> None:
    raw = write_dump(tmp_path / "raw")
    (tmp_path / "file").write_text("not a folder")
    ended = run_job("ingest", *settings_for(raw, tables__root=str(tmp_path / "file" / "tables")))
    assert ended.code == 1
    assert "tables.root" in ended.complaint
    assert "Traceback" not in ended.err


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 600 KiB; needs the right to mount one."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    mount = shutil.which("mount")
    made = mount and subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(folder)], capture_output=True
    )
    if not made or made.returncode:
        pytest.skip("no right to mount a small file system here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_keeps_the_table_that_was_there(
    spark: SparkSession, run_job: RunJob, settings_for: SettingsFor, tmp_path: Path, tiny_disk: Path, prepared: Path
) -> None:
    raw = shutil.copytree(prepared, tmp_path / "raw")
    for bronze in (tmp_path / "tables" / "netflix").glob("bronze_*"):
        shutil.copytree(bronze, tiny_disk / "netflix" / bronze.name)
    inside = settings_for(raw, tables__root=str(tiny_disk))
    tables = tables_of(spark, tiny_disk)
    before = tables.version("bronze_ratings")
    rows = tables.read("bronze_ratings").count()
    scattered = random.Random(1).sample(range(1, 2_649_430), 400_000)  # which no encoding makes small
    lines = "".join(f"{user},3,2005-01-01\n" for user in scattered)
    (raw / "combined_data_1.txt").write_text(f"1:\n{lines}")
    ended = run_job("ingest", *inside)
    assert ended.code == 1
    assert "no space left" in ended.complaint
    assert tables.version("bronze_ratings") == before
    assert tables.read("bronze_ratings").count() == rows


def test_a_table_of_an_older_schema_is_named_and_kept(
    spark: SparkSession, run_job: RunJob, settings_for: SettingsFor, tmp_path: Path, prepared: Path
) -> None:
    tables = tables_of(spark, tmp_path / "tables")
    old = tables.read("bronze_ratings").drop("rated_at").localCheckpoint()
    old.write.format("delta").mode("overwrite").option("overwriteSchema", "true").save(tables.path("bronze_ratings"))
    ended = run_job("prepare", *settings_for(prepared))
    assert ended.code == 1
    assert "bronze_ratings" in ended.complaint
    assert "rated_at" in ended.complaint
    assert spark.read.format("delta").load(tables.path("bronze_ratings")).count() == old.count()


def test_of_two_jobs_writing_at_once_the_second_stops(
    spark: SparkSession,
    run_job: RunJob,
    settings_for: SettingsFor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    prepared: Path,
) -> None:
    tables = tables_of(spark, tmp_path / "tables")
    replace = Tables.replace

    def replace_after_another_has(self: Tables, table: str, rows: object, **stamp: str) -> None:
        monkeypatch.setattr(Tables, "replace", replace)
        theirs = tables.read("silver_users").withColumn("n_ratings", F.lit(777)).localCheckpoint()
        tables.replace("silver_users", theirs)
        replace(self, table, rows, **stamp)  # type: ignore[arg-type]

    monkeypatch.setattr(Tables, "replace", replace_after_another_has)
    ended = run_job("prepare", *settings_for(prepared, **SMALL))
    assert ended.code == 1
    assert "another job" in ended.complaint
    assert {row[0] for row in tables.read("silver_users").select("n_ratings").distinct().collect()} == {777}


def test_a_night_that_stopped_goes_on_where_it_was(
    spark: SparkSession,
    run_job: RunJob,
    settings_for: SettingsFor,
    tmp_path: Path,
    stopped: Stopped,
    prepared: Path,
) -> None:
    assert stopped.ended.code == 1
    assert "the lights went out" in stopped.ended.complaint
    assert "Traceback" not in stopped.ended.err
    tables = tables_of(spark, tmp_path / "tables")
    runs = {row["model"]: row["finished_at"] for row in tables.read("gold_runs").collect()}
    silver = tables.version("silver_interactions")
    assert set(runs) == {"item_mean"}

    resumed = run_job("nightly", *settings_for(prepared, **SMALL), *TWO_MODELS)
    assert resumed.code == 0, resumed.err
    assert tables.version("silver_interactions") == silver
    after = {row["model"]: row["finished_at"] for row in tables.read("gold_runs").collect()}
    assert after["item_mean"] == runs["item_mean"]
    assert set(after) == {"item_mean", "popular"}


def test_a_network_without_a_folder_is_refused(
    run_job: RunJob, settings_for: SettingsFor, monkeypatch: pytest.MonkeyPatch, prepared: Path
) -> None:
    monkeypatch.setattr("nightreel.nightly.training.networks_folder", lambda _: None)
    ended = run_job("train", "--model", "ncf", *settings_for(prepared, **SMALL), *DATE)
    assert ended.code == 2
    assert "neural.folder" in ended.complaint
