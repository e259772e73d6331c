"""Jobs on every source that is not the Netflix Prize or MovieLens, which have tests of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from tests.jobs.conftest import DATE, RunJob, settings_in

USERS, ITEMS = 12, 6


def likes(lowest: int, highest: int) -> list[tuple[int, int, int]]:
    """User, item, rating: even users love even items and odd users odd ones; each skips one."""
    pairs = [(user, item) for user in range(1, USERS + 1) for item in range(1, ITEMS + 1) if (user + item) % ITEMS]
    return [(user, item, highest if user % 2 == item % 2 else lowest) for user, item in pairs]


def write_kmrd(folder: Path) -> None:
    rates = [f"{user},{item},{rating},{1_494_128_040 + user}\n" for user, item, rating in likes(1, 10)]
    (folder / "rates.csv").write_text("user,movie,rate,time\n" + "".join(rates) + "1,2,99,1494128040\n")
    movies = [f"{item}\t영화 {item}\tFilm {item} , 1990\t2013\t전체 관람가\n" for item in range(1, ITEMS + 1)]
    (folder / "movies.txt").write_text("movie\ttitle\ttitle_eng\tyear\tgrade\n" + "".join(movies), encoding="utf-8")
    (folder / "genres.csv").write_text("movie,genre\n1,드라마\n2,SF\n", encoding="utf-8")


def write_own(folder: Path) -> None:
    rows = [f"customer {user},sku-{item},{rating},2021-03-04\n" for user, item, rating in likes(1, 5)]
    (folder / "stars.csv").write_text("customer,film,stars,when\n" + "".join(rows) + "nobody,sku-1,9,2021-03-04\n")


def write_events(folder: Path) -> None:
    rows = [f"visitor {user},page-{item}\n" * 2 for user, item, rating in likes(0, 1) if rating]
    (folder / "clicks.csv").write_text("who,page\n" + "".join(rows) + ",page-1\n")


SOURCES = {
    "kmrd": (write_kmrd, []),
    "own": (
        write_own,
        ["data.columns.user=customer", "data.columns.item=film", "data.columns.rating=stars", "data.columns.time=when"],
    ),
    "events": (write_events, ["data.columns.user=who", "data.columns.item=page", "nightly.models=popular"]),
}
SMALL = ["filter.min_ratings_per_user=0", "filter.min_ratings_per_item=0", "ingest.max_reject_share=0.1"]
SPLIT = ["split.test_share=0.3", "split.validation_share=0.0"]


def rows(folder: Path, source: str, table: str) -> list[dict[str, object]]:
    files = DeltaTable(str(folder / "tables" / source / table)).file_uris()
    return pq.read_table(files, partitioning=None).to_pylist()


@pytest.fixture
def arguments_for(tmp_path: Path) -> Callable[[str], list[str]]:
    def make(source: str) -> list[str]:
        """Write the source's files; the arguments of jobs that read them."""
        write, more = SOURCES[source]
        raw = tmp_path / "raw"
        raw.mkdir()
        write(raw)
        sets = [word for text in [*more, *SMALL, *SPLIT] for word in ("--set", text)]
        return [*settings_in(tmp_path, raw, data__source=source), *DATE, *sets]

    return make


@pytest.mark.parametrize("source", ["kmrd", "own"])
def test_a_source_becomes_silver_and_keeps_what_it_rejects(
    source: str, run_job: RunJob, arguments_for: Callable[[str], list[str]], tmp_path: Path
) -> None:
    arguments = arguments_for(source)
    for job in ("ingest", "prepare"):
        ended = run_job(job, *arguments)
        assert ended.code == 0, ended.err
    assert len(rows(tmp_path, source, "bronze_quarantine")) == 1
    assert len(rows(tmp_path, source, "silver_interactions")) == len(likes(0, 1))
    users, items = rows(tmp_path, source, "silver_users"), rows(tmp_path, source, "silver_items")
    user_ids, item_ids = {row["user_id"] for row in users}, {row["item_id"] for row in items}
    if source == "kmrd":
        assert (user_ids, item_ids) == (set(range(1, USERS + 1)), set(range(1, ITEMS + 1)))
        assert {row["title"] for row in items} == {f"영화 {item}" for item in range(1, ITEMS + 1)}
    else:
        assert user_ids == {f"customer {user}" for user in range(1, USERS + 1)}
        assert item_ids == {f"sku-{item}" for item in range(1, ITEMS + 1)}


def test_a_night_on_events(run_job: RunJob, arguments_for: Callable[[str], list[str]], tmp_path: Path) -> None:
    """Clicks have ids of text and no ratings: what is counted is recommended by."""
    ended = run_job("nightly", *arguments_for("events"))
    assert ended.code == 0, ended.err
    assert len(rows(tmp_path, "events", "bronze_quarantine")) == 1
    assert {row["rating"] for row in rows(tmp_path, "events", "silver_interactions")} == {2.0}
    recommended = rows(tmp_path, "events", "gold_recommendations")
    users = rows(tmp_path, "events", "silver_users")
    assert {row["user_id"] for row in recommended} == {row["user_id"] for row in users}
    assert isinstance(recommended[0]["item_id"], str)
    assert "of all pairs of the" in ended.out
