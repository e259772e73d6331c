"""Items find their films: by every rule, never by a guess, and on real titles against known ids."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession

from nightreel.prepare.matching import AMBIGUOUS, Rule, Unmatched, films, match, match_rates
from nightreel.sources.datasets.movielens import without_year, year_in

ITEMS = (
    "item_id bigint, title string, year int, other_title string, other_year int, tmdb_id bigint, imdb_id string, "
    "n_ratings bigint"
)
METADATA = (
    "metadata_id bigint, imdb_id string, title string, original_title string, year int, vote_count bigint, "
    "genres array<string>"
)
Item = tuple[int, str | None, int | None, str | None, int | None, int | None, str | None, int]
Row = tuple[int | None, str | None, str | None, str | None, int | None, int | None, list[str]]


def item(
    item_id: int,
    title: str | None,
    year: int | None = None,
    *,
    other: tuple[str, int | None] = ("", None),
    tmdb_id: int | None = None,
    imdb_id: str | None = None,
) -> Item:
    return (item_id, title, year, other[0] or None, other[1], tmdb_id, imdb_id, item_id)


def row(
    metadata_id: int | None,
    title: str | None,
    year: int | None = None,
    *,
    original: str | None = None,
    votes: int | None = 1,
    imdb_id: str | None = None,
) -> Row:
    return (metadata_id, imdb_id, title, original, year, votes, [])


CASES: list[tuple[Item, int | None, str]] = [
    (item(1, "Anything", 1900, tmdb_id=10), 10, Rule.TMDB_ID),
    (item(2, "Anything", 1900, tmdb_id=9_999, imdb_id="tt0000010"), 10, Rule.IMDB_ID),
    (item(3, "Jaws", 1975, tmdb_id=9_999), None, Unmatched.NO_SUCH_ID),
    (item(4, "Matrix, The", 1999), 20, Rule.TITLE),
    (item(5, "King Kong", 1976), 31, Rule.TITLE),
    (item(6, "King Kong", 2004), 32, Rule.TITLE_NEXT_YEAR),
    (item(7, "King Kong", 1950), None, Unmatched.OTHER_YEAR),
    (item(8, "King Kong"), None, Unmatched.SEVERAL_FILMS),
    (item(9, "Matrix: Collector's Edition", 1999), 20, Rule.EDITION),
    (item(10, "Cité des enfants perdus, La", 1995), 40, Rule.OTHER_TITLE),
    (item(11, "Il Mare (a.k.a. Siworae)", 2001), 50, Rule.OTHER_TITLE_NEXT_YEAR),
    (item(12, "타짜", 2016, other=("Tazza: The High Rollers", 2006)), 60, Rule.OTHER_TITLE),
    (item(13, "Rocky 2"), 70, Rule.TITLE_ALONE),
    (item(14, "Emma", 1996), None, Unmatched.SEVERAL_ITEMS),
    (item(15, "EMMA", 1996), None, Unmatched.SEVERAL_ITEMS),
    (item(16, "Emma", 1997), None, Unmatched.TAKEN),
    (item(17, "Solaris", 2003), None, Unmatched.SEVERAL_FILMS),
    (item(18, "Nobody Heard of It", 1990), None, Unmatched.NO_SUCH_TITLE),
    (item(19, None), None, Unmatched.NO_TITLE),
    (item(20, " "), None, Unmatched.NO_TITLE),
    (item(21, "Undated", 1990), None, Unmatched.OTHER_YEAR),
]
FILMS = [
    row(10, "Something", 1950, imdb_id="tt0000010"),
    row(20, "The Matrix", 1999),
    row(30, "King Kong", 1933),
    row(31, "King Kong", 1976),
    row(32, "King Kong", 2005),
    row(40, "The City of Lost Children", 1995, original="La Cité des Enfants Perdus"),
    row(50, "Siworae", 2000),
    row(60, "Tazza: The High Rollers", 2006, original="타짜"),
    row(70, "Rocky II", 1979),
    row(80, "Emma", 1996),
    row(90, "Solaris", 2002),
    row(91, "Solaris", 2004),
    row(92, "Jaws", 1975),
    row(93, "Undated"),
    row(94, "", 1990),
    row(95, None, 1990),
]


def matched(spark: SparkSession, items: list[Item], metadata: list[Row]) -> DataFrame:
    found = films(spark.createDataFrame(metadata, METADATA), min_votes=0)
    return match(spark.createDataFrame(items, ITEMS), found)


def test_each_item_finds_its_film_or_is_told_why_not(spark: SparkSession) -> None:
    items = [case[0] for case in CASES]
    found = matched(spark, items, FILMS)
    told = {answer["item_id"]: (answer["metadata_id"], answer["matched_by"]) for answer in found.collect()}
    assert told == {asked[0]: (metadata_id, why) for asked, metadata_id, why in CASES}
    rates = match_rates(found.join(spark.createDataFrame(items, ITEMS), "item_id", "inner"))
    by_reason = {rate["matched_by"]: rate.asDict() for rate in rates.collect()}
    assert by_reason[Unmatched.SEVERAL_ITEMS] == {
        "matched_by": "ambiguous: several items",
        "matched": False,
        "items": 2,
        "item_share": pytest.approx(2 / 21),
        "ratings": 29,
        "rating_share": pytest.approx(29 / 231),
    }
    assert by_reason[Rule.EDITION]["matched"]
    assert sum(rate["items"] for rate in by_reason.values()) == len(items)
    assert sum(rate["rating_share"] for rate in by_reason.values()) == pytest.approx(1.0)


def test_one_row_a_film_with_votes_enough(spark: SparkSession) -> None:
    rows = [
        row(1, "Few votes", votes=3),
        row(1, "Most votes", votes=8),
        row(1, "None counted", votes=None),
        row(2, "Too few", votes=4),
        row(3, "Enough", votes=5),
        row(4, "None counted", votes=None),
        row(None, "No id"),
    ]
    metadata = spark.createDataFrame(rows, METADATA)
    found = films(metadata, min_votes=5)
    assert found.columns == metadata.columns
    assert sorted(found.select("metadata_id", "title").collect()) == [(1, "Most votes"), (3, "Enough")]
    assert films(metadata, min_votes=0).count() == 4


def real_films(folder: Path) -> list[Row]:
    with (folder / "movies-metadata" / "movies_metadata.csv").open(encoding="utf-8", newline="") as file:
        return [
            row(
                int(line["id"]),
                line["title"],
                int(line["release_date"][:4] or 0) or None,
                original=line["original_title"],
                votes=int(line["vote_count"]),
                imdb_id=line["imdb_id"],
            )
            for line in csv.DictReader(file)
        ]


def movielens(spark: SparkSession, folder: Path) -> tuple[DataFrame, dict[int, int]]:
    """The movies without their ids, and their TMDB ids."""
    with (folder / "ml-latest-small" / "movies.csv").open(encoding="utf-8", newline="") as file:
        titles = [item(int(line["movieId"]), line["title"]) for line in csv.DictReader(file)]
    with (folder / "ml-latest-small" / "links.csv").open(encoding="utf-8", newline="") as file:
        links = {int(line["movieId"]): int(line["tmdbId"]) for line in csv.DictReader(file) if line["tmdbId"]}
    dated = {"title": without_year("title"), "year": year_in("title")}
    return spark.createDataFrame(titles, ITEMS).withColumns(dated), links


def test_movielens_titles_find_the_films_that_their_links_name(spark: SparkSession, real_data: Path) -> None:
    items, links = movielens(spark, real_data)
    rows = real_films(real_data)
    there = {row[0] for row in rows}
    answers = match(items, films(spark.createDataFrame(rows, METADATA), min_votes=0)).collect()
    claims = Counter(one["matched_by"] for one in answers if one["metadata_id"])
    right = Counter(one["matched_by"] for one in answers if one["metadata_id"] == links.get(one["item_id"], -1))
    assert claims[Rule.TITLE] > 2_200
    assert all(right[rule] >= 0.99 * claims[rule] for rule in claims), (right, claims)
    findable = sum(links.get(one["item_id"]) in there for one in answers)
    assert findable == 2_350
    assert right.total() > 0.975 * findable
    assert sum(one["matched_by"] in AMBIGUOUS for one in answers) == 3


def test_movielens_links_find_every_film_there_is(spark: SparkSession, real_data: Path) -> None:
    items, links = movielens(spark, real_data)
    of_items = spark.createDataFrame(list(links.items()), "item_id bigint, tmdb_id bigint")
    linked = items.drop("tmdb_id").join(of_items, "item_id", "left")
    found = match(linked, films(spark.createDataFrame(real_films(real_data), METADATA), min_votes=0))
    answers = found.where("metadata_id IS NOT NULL").collect()
    assert Counter(one["matched_by"] for one in answers) == {Rule.TMDB_ID: 2_350}
    assert all(links[one["item_id"]] == one["metadata_id"] for one in answers)
