"""Bronze to silver as a whole: counts, errors, and the original notebook's recipe on real ratings."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from nightreel.errors import DataError
from nightreel.prepare import Silver, prepare
from nightreel.settings import Settings, TablesSettings, load
from nightreel.sources.source import with_all_columns
from nightreel.tables.schemas import ID, SCHEMAS
from nightreel.tables.tables import Tables

ITEMS = ", ".join(
    f"{name} {'bigint' if kind == ID else kind}" for name, kind in SCHEMAS["bronze_items"].columns.items()
)


def settings(
    *, per_user: int = 0, per_item: int = 0, iterate: bool = False, test_rows: int = 1, test_share: float = 0.1
) -> Settings:
    overrides = {
        "filter.min_ratings_per_user": per_user,
        "filter.min_ratings_per_item": per_item,
        "filter.iterate": str(iterate).lower(),
        "split.test_rows": test_rows,
        "split.test_share": test_share,
        "split.validation_share": 0.0,
    }
    return load("local", [f"{name}={value}" for name, value in overrides.items()])


def bronze(spark: SparkSession, rows: list[tuple[int, int, float, int | None]]) -> DataFrame:
    """Rows of user, item, rating, day of January 2005."""
    return spark.createDataFrame(
        [
            (user, item, rating, None if day is None else datetime(2005, 1, day, tzinfo=UTC), 0)
            for user, item, rating, day in rows
        ],
        "user_id bigint, item_id bigint, rating float, rated_at timestamp, file_id int",
    )


@pytest.fixture(scope="module")
def movielens(real_data: Path) -> pd.DataFrame:
    return pd.read_csv(real_data / "ml-latest-small" / "ratings.csv")


@pytest.fixture(scope="module")
def movielens_bronze(spark: SparkSession, movielens: pd.DataFrame) -> Iterator[DataFrame]:
    frame = spark.createDataFrame(movielens).select(
        F.col("userId").alias("user_id"),
        F.col("movieId").alias("item_id"),
        F.col("rating").cast("float").alias("rating"),
        F.timestamp_seconds("timestamp").alias("rated_at"),
        F.lit(0).alias("file_id"),
    )
    yield frame.persist()
    frame.unpersist()


def original_recipe(ratings: pd.DataFrame, *, movies_over: int, users_over: int) -> pd.DataFrame:
    """The notebook's filter: value counts of the whole data, both `isin` at once."""
    movies = ratings["movieId"].value_counts()
    users = ratings["userId"].value_counts()
    return ratings[
        ratings["movieId"].isin(movies.index[movies > movies_over])
        & ratings["userId"].isin(users.index[users > users_over])
    ]


def in_external_ids(silver: Silver) -> pd.DataFrame:
    joined = silver.interactions.join(silver.users, "user_idx", "inner").join(silver.items, "item_idx", "inner")
    return joined.select("user_id", "item_id", "rating").toPandas()


def test_the_original_notebooks_filters_keep_the_same_rows_users_and_items(
    spark: SparkSession, movielens: pd.DataFrame, movielens_bronze: DataFrame
) -> None:
    expected = original_recipe(movielens, movies_over=50, users_over=200)
    named = spark.createDataFrame(
        [(1, "Toy Story", 1995, ["Animation"])], "item_id bigint, title string, year int, genres array<string>"
    )
    titles = with_all_columns(named, "bronze_items")
    asked = settings(per_item=51, per_user=201, test_rows=1000)
    with prepare(movielens_bronze, titles, asked) as silver:
        kept, users, items = in_external_ids(silver), silver.users.toPandas(), silver.items.toPandas()

    report = silver.report
    assert (report.rows_in, report.duplicates, report.kept) == (100_836, 0, len(expected))
    assert report.filtered == 100_836 - len(expected)
    assert (report.test, report.validation) == (1000, 0)
    ours = sorted(kept.itertuples(index=False, name=None))
    theirs = sorted(expected[["userId", "movieId", "rating"]].itertuples(index=False, name=None))
    assert ours == theirs
    users, items = users.sort_values("user_idx"), items.sort_values("item_idx")
    assert users["user_id"].tolist() == sorted(expected["userId"].unique())
    assert items["item_id"].tolist() == sorted(expected["movieId"].unique())
    assert users["user_idx"].tolist() == list(range(report.users))
    assert items["item_idx"].tolist() == list(range(report.items))
    by_user = expected.groupby("userId")["rating"].agg(["count", "mean"])
    assert users["n_ratings"].tolist() == by_user["count"].tolist()
    assert users["mean_rating"].tolist() == pytest.approx(by_user["mean"].tolist(), rel=1e-12)
    assert items.loc[items["item_id"] == 1, "title"].tolist() == ["Toy Story"]
    assert items["title"].notna().sum() == 1


def test_a_written_table_is_partitioned_by_split_and_sorted_within_files(
    spark: SparkSession, movielens_bronze: DataFrame, tmp_path: Path
) -> None:
    tables = Tables(spark, TablesSettings(root=str(tmp_path), catalog="", dataset="small"))
    titles = spark.createDataFrame([], ITEMS)
    with prepare(movielens_bronze, titles, settings(test_rows=0)) as silver:
        tables.replace("silver_interactions", silver.interactions)
    written = tables.read("silver_interactions")
    counts = {row["split"]: row["count"] for row in written.groupBy("split").count().collect()}
    assert counts == {"train": silver.report.train, "test": silver.report.test}
    assert counts["test"] == pytest.approx(10_084, abs=400)
    files = written.where("split = 'train'").inputFiles()
    assert len(files) == 1
    order = pd.read_parquet(files[0])[["user_idx", "item_idx"]].to_records(index=False).tolist()
    assert order == sorted(order)


def test_a_split_is_the_same_when_other_ratings_come_and_go(spark: SparkSession, movielens_bronze: DataFrame) -> None:
    def marks(ratings: DataFrame) -> dict[tuple[int, int], str]:
        with prepare(ratings, spark.createDataFrame([], ITEMS), settings(test_rows=0)) as silver:
            joined = silver.interactions.join(silver.users, "user_idx").join(silver.items, "item_idx")
            return {(row[0], row[1]): row[2] for row in joined.select("user_id", "item_id", "split").collect()}

    few, more = marks(movielens_bronze.where("user_id between 100 and 150")), marks(movielens_bronze)
    assert len(few) > 5000
    assert few == {pair: more[pair] for pair in few}


def test_repeated_pairs_are_counted_and_the_latest_stays(spark: SparkSession) -> None:
    rows = [(1, 1, 5.0, 2), (1, 1, 2.0, 9), (1, 1, 4.0, None), (1, 2, 3.0, 1), (2, 1, 3.0, 1), (2, 2, 1.0, 1)]
    with prepare(bronze(spark, rows), spark.createDataFrame([], ITEMS), settings()) as silver:
        kept = in_external_ids(silver)
    assert (silver.report.rows_in, silver.report.duplicates, silver.report.kept) == (6, 2, 4)
    assert kept[(kept["user_id"] == 1) & (kept["item_id"] == 1)]["rating"].tolist() == [2.0]


@pytest.mark.parametrize("iterate", [False, True])
def test_filters_that_leave_nothing_name_the_settings_and_the_largest_counts(
    spark: SparkSession, iterate: bool
) -> None:
    ratings = bronze(spark, [(1, 1, 1.0, 1), (1, 2, 1.0, 1), (2, 2, 1.0, 1), (3, 2, 1.0, 1)])
    with pytest.raises(DataError) as error:
        prepare(ratings, spark.createDataFrame([], ITEMS), settings(per_user=3, per_item=4, iterate=iterate))
    assert str(error.value) == (
        "filter: min_ratings_per_user = 3, min_ratings_per_item = 4, user_quantile = 0.0, item_quantile = 0.0, "
        f"iterate = {str(iterate).lower()}, repeats = latest: leaves no rating; the largest counts are 2 ratings "
        "by one user and 3 of one item"
    )


def test_no_ratings_at_all(spark: SparkSession) -> None:
    with pytest.raises(DataError, match="no ratings to prepare"):
        prepare(bronze(spark, []), spark.createDataFrame([], ITEMS), settings())


@pytest.mark.parametrize(("test_rows", "missing"), [(4, "training"), (0, "testing")])
def test_a_split_must_leave_ratings_on_both_sides(spark: SparkSession, test_rows: int, missing: str) -> None:
    ratings = bronze(spark, [(1, 1, 1.0, 1), (1, 2, 1.0, 1), (2, 2, 1.0, 1), (3, 2, 1.0, 1)])
    with pytest.raises(DataError, match=f"leave no rating for {missing} of 4"):
        prepare(ratings, spark.createDataFrame([], ITEMS), settings(test_rows=test_rows, test_share=0.0))
