"""The night on every source that is not the Netflix Prize or MovieLens, which have tests of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from tests.jobs.conftest import RunJob

USERS, ITEMS = 12, 6
DATE = ["--run-date", "2005-12-31"]


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


NIGHTS = {
    "kmrd": (write_kmrd, ["nightly.models=item_mean", "recommend.model=item_mean"]),
    "own": (
        write_own,
        [
            "data.columns.user=customer",
            "data.columns.item=film",
            "data.columns.rating=stars",
            "data.columns.time=when",
            "nightly.models=item_mean",
            "recommend.model=item_mean",
        ],
    ),
    "events": (write_events, ["data.columns.user=who", "data.columns.item=page", "nightly.models=popular"]),
}


@pytest.mark.parametrize("source", NIGHTS)
def test_a_night_is_green_and_keeps_what_it_rejects(
    source: str, run_job: RunJob, settings_for: Callable[..., list[str]], tmp_path: Path
) -> None:
    write, more = NIGHTS[source]
    raw = tmp_path / "raw"
    raw.mkdir()
    write(raw)
    small = ["filter.min_ratings_per_user=0", "filter.min_ratings_per_item=0", "ingest.max_reject_share=0.1"]
    split = ["split.test_share=0.3", "split.validation_share=0.0"]
    sets = [word for text in [*more, *small, *split] for word in ("--set", text)]
    ended = run_job("nightly", *settings_for(raw, data__source=source), *DATE, *sets)
    assert ended.code == 0, ended.err

    def rows(table: str) -> list[dict[str, object]]:
        files = DeltaTable(str(tmp_path / "tables" / source / table)).file_uris()
        return pq.read_table(files, partitioning=None).to_pylist()

    assert len(rows("bronze_quarantine")) == 1
    if source == "events":
        assert {row["rating"] for row in rows("silver_interactions")} == {2.0}
    recommended = rows("gold_recommendations")
    assert {row["user_id"] for row in recommended} == {row["user_id"] for row in rows("silver_users")}
    assert isinstance(recommended[0]["item_id"], int if source == "kmrd" else str)
    if source == "kmrd":
        assert {row["title"] for row in recommended} <= {f"영화 {item}" for item in range(1, ITEMS + 1)}
    assert "of all pairs of the" in ended.out
