"""Bronze to silver as a whole: counts, errors, items' details, and the original notebook's recipe on real ratings."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from nightreel.errors import DataError
from nightreel.models.contract import Capability, TrainedModel
from nightreel.prepare import Silver, prepare
from nightreel.prepare.matching import Rule, Unmatched
from nightreel.recommend import recommend_for_all
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
        "text.min_items": 1,
        "text.max_share": 1.0,
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
def movielens_bronze(
    spark: SparkSession, movielens: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DataFrame]:
    path = str(tmp_path_factory.mktemp("bronze") / "ratings.parquet")
    movielens.to_parquet(path)
    frame = spark.read.parquet(path).select(
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
    return joined.select("user_id", "item_id", "rating", "split").toPandas()


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

    counts = silver.counts
    assert (counts["ratings in"], counts["repeats resolved"], counts["kept"]) == (100_836, 0, len(expected))
    assert counts["dropped by the filters"] == 100_836 - len(expected)
    assert (counts["test rows"], counts["validation rows"]) == (1000, 0)
    ours = sorted(kept[["user_id", "item_id", "rating"]].itertuples(index=False, name=None))
    theirs = sorted(expected[["userId", "movieId", "rating"]].itertuples(index=False, name=None))
    assert ours == theirs
    users, items = users.sort_values("user_idx"), items.sort_values("item_idx")
    assert users["user_id"].tolist() == sorted(expected["userId"].unique())
    assert items["item_id"].tolist() == sorted(expected["movieId"].unique())
    assert users["user_idx"].tolist() == list(range(counts["users"]))
    assert items["item_idx"].tolist() == list(range(counts["items"]))
    by_user = expected.groupby("userId")["rating"].agg(["count", "mean"])
    assert users["n_ratings"].tolist() == by_user["count"].tolist()
    assert users["mean_rating"].tolist() == pytest.approx(by_user["mean"].tolist(), rel=1e-12)
    assert items.loc[items["item_id"] == 1, "title"].tolist() == ["Toy Story"]
    assert items["title"].notna().sum() == 1


@pytest.fixture(scope="module")
def unfiltered(spark: SparkSession, movielens_bronze: DataFrame) -> Iterator[Silver]:
    """All of MovieLens, a tenth of it to test; without titles and metadata."""
    with prepare(movielens_bronze, spark.createDataFrame([], ITEMS), settings(test_rows=0)) as silver:
        yield silver


def test_a_written_table_is_partitioned_by_split_and_sorted_within_files(
    spark: SparkSession, unfiltered: Silver, tmp_path: Path
) -> None:
    tables = Tables(spark, TablesSettings(root=str(tmp_path), catalog="", dataset="small"))
    tables.replace("silver_interactions", unfiltered.interactions)
    written = tables.read("silver_interactions")
    counts = {row["split"]: row["count"] for row in written.groupBy("split").count().collect()}
    assert counts == {name: unfiltered.counts[f"{name} rows"] for name in ("train", "test")}
    assert counts["test"] == pytest.approx(10_084, abs=400)
    files = written.where("split = 'train'").inputFiles()
    assert len(files) == 1
    order = pd.read_parquet(files[0])[["user_idx", "item_idx"]].to_records(index=False).tolist()
    assert order == sorted(order)


def test_a_split_is_the_same_when_other_ratings_come_and_go(
    spark: SparkSession, movielens_bronze: DataFrame, unfiltered: Silver
) -> None:
    def marks(silver: Silver) -> dict[tuple[int, int], str]:
        rows = in_external_ids(silver)
        return dict(zip(zip(rows["user_id"], rows["item_id"], strict=True), rows["split"], strict=True))

    some = movielens_bronze.where("user_id between 100 and 150")
    with prepare(some, spark.createDataFrame([], ITEMS), settings(test_rows=0)) as silver:
        few = marks(silver)
    more = marks(unfiltered)
    assert len(few) > 5000
    assert few == {pair: more[pair] for pair in few}


def test_without_metadata_no_item_has_a_film(unfiltered: Silver) -> None:
    assert unfiltered.match_rates.isEmpty()
    without = unfiltered.items.where("metadata_id IS NULL AND matched_by IS NULL AND overview IS NULL")
    assert without.count() == unfiltered.counts["items"]


@pytest.fixture(scope="module")
def by_hand(spark: SparkSession) -> Iterator[Silver]:
    """User 1 rates items 5 to 9, item 5 three times; user 2 items 5 to 7. Nothing is known of item 7."""
    ratings = [(1, 5, 5.0, 2), (1, 5, 2.0, 9), (1, 5, 4.0, None)]
    ratings += [(1, item, 4.0, 1) for item in (6, 7, 8, 9)] + [(2, item, 4.0, 1) for item in (5, 6, 7)]
    items = spark.createDataFrame(
        [
            (5, "Matrix, The", 1999, ["Action"], ["Keanu Reeves"], None, None),
            (6, "Solaris", 1972, [], None, None, None),
            (8, None, None, None, None, 862, None),
            (9, "My Heat", None, [], None, None, "tt0113277"),
        ],
        "item_id bigint, title string, year int, genres array<string>, cast array<string>, tmdb_id bigint, "
        "imdb_id string",
    )
    matrix = ["Action", "Future"], ["Keanu Reeves", "Moss"], ["hacker"]
    metadata = spark.createDataFrame(
        [
            (603, None, "The Matrix", 1999, "A hacker learns", *matrix),
            (862, None, "Toy Story", 1995, None, ["Animation"], None, None),
            (949, "tt0113277", "Heat", 1996, None, ["Crime"], None, None),
        ],
        "metadata_id bigint, imdb_id string, title string, year int, overview string, genres array<string>, "
        "cast array<string>, keywords array<string>",
    ).withColumn("vote_count", F.lit(9).cast("bigint"))
    with prepare(
        bronze(spark, ratings),
        with_all_columns(items, "bronze_items"),
        settings(),
        metadata=with_all_columns(metadata, "bronze_metadata"),
    ) as silver:
        yield silver


def test_repeated_pairs_are_counted_and_the_latest_stays(by_hand: Silver) -> None:
    kept = in_external_ids(by_hand)
    counts = by_hand.counts
    assert (counts["ratings in"], counts["repeats resolved"], counts["kept"]) == (10, 2, 8)
    assert kept[(kept["user_id"] == 1) & (kept["item_id"] == 5)]["rating"].tolist() == [2.0]


def test_items_take_overview_and_words_from_their_films(by_hand: Silver) -> None:
    columns = ("item_id", "title", "year", "genres", "overview", "metadata_id", "matched_by")
    rows = {row["item_id"]: tuple(row)[1:] for row in by_hand.items.select(*columns).collect()}
    assert rows[5] == ("Matrix, The", 1999, ["Action"], "A hacker learns", 603, Rule.TITLE)
    assert rows[6] == ("Solaris", 1972, [], None, None, Unmatched.NO_SUCH_TITLE)
    assert rows[7] == (None, None, None, None, None, Unmatched.NO_TITLE)
    # Ids identify a film: it fills in what the item lacks, and nothing else.
    assert rows[8] == ("Toy Story", 1995, ["Animation"], None, 862, Rule.TMDB_ID)
    assert rows[9] == ("My Heat", 1996, ["Crime"], None, 949, Rule.IMDB_ID)
    assert {row["matched_by"]: row["ratings"] for row in by_hand.match_rates.collect()} == {
        Rule.TITLE: 2,
        Unmatched.NO_SUCH_TITLE: 2,
        Unmatched.NO_TITLE: 2,
        Rule.TMDB_ID: 1,
        Rule.IMDB_ID: 1,
    }
    words = {row["term"] for row in by_hand.text.vocabulary.collect()}
    assert " ".join(sorted(words)) == (
        "action animation crime future hacker heat keanu learns matrix moss my reeves solaris story the toy"
    )
    texts = {row["item_idx"]: len(row["terms"]) for row in by_hand.text.weights.collect()}
    assert texts == {0: 9, 1: 1, 3: 3, 4: 3}


class Unseen(TrainedModel):
    """Recommends items 8, 9 and 5 to user 2."""

    form = "stand-in"
    algorithm = "stand_in"
    capabilities = frozenset({Capability.RECOMMEND})

    def predict(self, pairs: DataFrame) -> DataFrame:
        raise NotImplementedError

    def recommend(self, users: DataFrame, *, n: int, seen: DataFrame) -> DataFrame:
        best = users.sparkSession.createDataFrame(
            [(1, 1, 3, 2.0), (1, 2, 4, 1.0), (1, 3, 0, 0.0)], "user_idx int, rank int, item_idx int, score float"
        )
        return best.join(seen, ["user_idx", "item_idx"], "left_anti").where(F.col("rank") <= n)

    def similar(self, *, n: int) -> DataFrame:
        raise NotImplementedError


def test_recommendations_carry_the_titles_of_films_found_by_id(by_hand: Silver) -> None:
    rows = recommend_for_all(
        Unseen(), by_hand.users, by_hand.items, by_hand.interactions, n=3, run_id="r", run_date=date(2005, 2, 1)
    )
    found = {row["rank"]: (row["user_id"], row["item_id"], row["title"]) for row in rows.collect()}
    assert found == {1: (2, 8, "Toy Story"), 2: (2, 9, "My Heat")}


@pytest.mark.parametrize("iterate", [False, True])
def test_filters_that_leave_nothing_name_the_settings_and_the_largest_counts(
    spark: SparkSession, iterate: bool
) -> None:
    ratings = bronze(spark, [(1, 1, 1.0, 1), (1, 2, 1.0, 1), (2, 2, 1.0, 1), (3, 2, 1.0, 1)])
    given = settings(per_user=3, per_item=4, iterate=iterate)
    with pytest.raises(DataError) as error, prepare(ratings, spark.createDataFrame([], ITEMS), given):
        pass
    assert str(error.value) == (
        "filter: min_ratings_per_user = 3, min_ratings_per_item = 4, user_quantile = 0.0, item_quantile = 0.0, "
        f"iterate = {str(iterate).lower()}, repeats = latest: leaves no rating; the largest counts are 2 ratings "
        "by one user and 3 of one item"
    )


def test_no_ratings_at_all(spark: SparkSession) -> None:
    items = spark.createDataFrame([], ITEMS)
    with pytest.raises(DataError, match="no ratings to prepare"), prepare(bronze(spark, []), items, settings()):
        pass


@pytest.mark.parametrize(("test_rows", "missing"), [(4, "training"), (0, "testing")])
def test_a_split_must_leave_ratings_on_both_sides(spark: SparkSession, test_rows: int, missing: str) -> None:
    ratings = bronze(spark, [(1, 1, 1.0, 1), (1, 2, 1.0, 1), (2, 2, 1.0, 1), (3, 2, 1.0, 1)])
    items, given = spark.createDataFrame([], ITEMS), settings(test_rows=test_rows, test_share=0.0)
    with pytest.raises(DataError, match=f"leave no rating for {missing} of 4"), prepare(ratings, items, given):
        pass
