"""MovieLens in every form it was published in, with what trips a parser, to bronze tables."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings
from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F

from nightreel.settings import Settings, load
from nightreel.sources import ingest
from nightreel.sources.datasets.movielens import NO_TAG, NOT_A_FLAG, NOT_A_GENRE, NOT_A_LINK, MovieLens
from nightreel.sources.judging import NOT_AN_ID, REPEATED
from nightreel.sources.lines.rating_lines import Reason
from nightreel.sources.records import RecordReason
from nightreel.tables.tables import Tables

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
CSV_RATINGS = b"userId,movieId,rating,timestamp\r\n1,1,4.0,964982703\r\n2,1,0.5,964982704\r\n"


def load_settings(path: Path, *overrides: str) -> Settings:
    return load("local", ["data.source=movielens", f'data.path="{path}"', *overrides])


class Films:
    """The films that files in a folder describe, by id, and what is rejected of the files, by its line."""

    def __init__(self, spark: SparkSession, folder: Path, files: dict[str, bytes]) -> None:
        for name, data in files.items():
            (folder / name).write_bytes(data)
        source = MovieLens(load_settings(folder))
        described = source.items(spark, dict(enumerate(source.find().items, 1)))
        described.records.persist()
        self.rows: dict[int, Row] = {row["item_id"]: row for row in described.rows.collect()}
        lines = described.lines.collect()
        self.rejects = {row["line"]: row["reason"] for row in lines if row["reason"] is not None}
        self.rejected = sum(row["lines"] for row in lines if row["reason"] is not None)
        self.good = sum(row["lines"] for row in lines if row["reason"] is None)
        described.records.unpersist()

    def titled(self) -> dict[int, tuple[str | None, int | None, Sequence[str] | None]]:
        return {item_id: (row["title"], row["year"], row["genres"]) for item_id, row in self.rows.items()}


def test_csv_with_all_its_traps(spark: SparkSession, tmp_path: Path) -> None:
    movies = (
        '\ufeffmovieId,title,genres\r\n1,Toy Story (1995),Adventure|Comedy\r\n2,"Matrix, The (1999)",Action\r\n'
        '3,"""Great Performances"" Cats (1998)",Musical\r\n4,Dusk (1999) ,Crime\r\n5,Babylon 5,(no genres listed)\r\n'
        "6,Death Note: Desu nôto (2006–2007),Crime\r\n7,Rising (2007-),Drama\r\n8,Luck (2009– ),Drama\r\n"
        "9,Love (Ja (2)) (1983)),Drama\r\n10,2001: A Space Odyssey (1968),Sci-Fi\r\n11,(1995),Drama\r\n"
        "12,Clip (1995) (V),Drama|Drama\r\n13,Year 3000 (3000),Sci-Fi\r\n\r\nx,No id (2000),Drama\r\n"
        "1,Again (2000),Drama\r\n14,Torn (2000)\r\n15,Last (2001),Drama"
    )
    links = "movieId,imdbId,tmdbId\n1,0114709,862\n2,0133093,\n3,10954984,5\n4,tt12,6\n1,0114709,862\n99,0000001,7\n"
    tags = (
        "userId,movieId,tag,timestamp\n1,1,Pixar,5\n2,1,fun,5\n3,1,pixar,5\n4,1,pixar,6\n5,1, FUN ,7\n6,1,old,1\n"
        '7,2,"one, two",1\n8,2, ,1\n9,,lost,1\n'
    )
    files = {
        "ratings.csv": CSV_RATINGS,
        "movies.csv": movies.encode(),
        "links.csv": links.encode(),
        "tags.csv": tags.encode(),
    }
    films = Films(spark, tmp_path, files)
    assert films.titled() == {
        1: ("Toy Story", 1995, ["Adventure", "Comedy"]),
        2: ("Matrix, The", 1999, ["Action"]),
        3: ('"Great Performances" Cats', 1998, ["Musical"]),
        4: ("Dusk", 1999, ["Crime"]),
        5: ("Babylon 5", None, []),
        6: ("Death Note: Desu nôto", 2006, ["Crime"]),
        7: ("Rising", 2007, ["Drama"]),
        8: ("Luck", 2009, ["Drama"]),
        9: ("Love (Ja (2))", 1983, ["Drama"]),
        10: ("2001: A Space Odyssey", 1968, ["Sci-Fi"]),
        11: ("(1995)", 1995, ["Drama"]),
        12: ("Clip", 1995, ["Drama"]),
        13: ("Year 3000 (3000)", None, ["Sci-Fi"]),
        15: ("Last", 2001, ["Drama"]),
        99: (None, None, None),
    }
    linked = {item_id: (row["imdb_id"], row["tmdb_id"]) for item_id, row in films.rows.items() if row["imdb_id"]}
    assert linked == {1: ("tt0114709", 862), 2: ("tt0133093", None), 3: ("tt10954984", 5), 99: ("tt0000001", 7)}
    assert {item_id: row["tags"] for item_id, row in films.rows.items() if row["tags"]} == {
        1: ["pixar", "FUN", "old"],
        2: ["one, two"],
    }
    assert films.rejects == {
        "x,No id (2000),Drama": NOT_AN_ID,
        "1,Again (2000),Drama": REPEATED,
        "14,Torn (2000)": RecordReason.FIELDS,
        "4,tt12,6": NOT_A_LINK,
        "1,0114709,862": REPEATED,
        "8,2, ,1": NO_TAG,
        "9,,lost,1": NOT_AN_ID,
    }
    assert films.good == 14 + 4 + 7


def test_a_film_keeps_its_fifty_most_frequent_tags(spark: SparkSession, tmp_path: Path) -> None:
    lines = [f"{user},1,tag {tag:02d},1\n" for tag in range(60) for user in range(1 + (tag == 59))]
    tags = "userId,movieId,tag,timestamp\n" + "".join(lines)
    films = Films(spark, tmp_path, {"ratings.csv": CSV_RATINGS, "tags.csv": tags.encode()})
    assert films.rows[1]["tags"] == ["tag 59", *(f"tag {tag:02d}" for tag in range(49))]


def test_1m_in_latin_1_and_10m_in_utf_8(spark: SparkSession, tmp_path: Path) -> None:
    movies = (
        b"1::Toy Story (1995)::Animation|Children's|Comedy\n2::Mis\xe9rables, Les (1998)::Drama\r\n"
        + "3::Misérables, Les (2012)::Drama\n".encode()
        + b'4::"Quoted", it is: so (1999)::(no genres listed)\n5:Colon (1999)::Drama\n5::Five (1999)::Drama'
    )
    tags = "15::1::good: very::1215184630\n16::1::schön::1\n17::2::a::b::1\n".encode()
    films = Films(spark, tmp_path, {"ratings.dat": b"1::1::5::978300760\n", "movies.dat": movies, "tags.dat": tags})
    assert films.titled() == {
        1: ("Toy Story", 1995, ["Animation", "Children's", "Comedy"]),
        2: ("Misérables, Les", 1998, ["Drama"]),
        3: ("Misérables, Les", 2012, ["Drama"]),
        4: ('"Quoted", it is: so', 1999, []),
        5: ("Five", 1999, ["Drama"]),
    }
    assert films.rows[1]["tags"] == ["good: very", "schön"]
    assert films.rejects == {"5:Colon (1999)::Drama": RecordReason.FIELDS, "17::2::a::b::1": RecordReason.FIELDS}


HUNDRED_K = {
    "u.data": b"196\t1\t3\t881250949\n186\t267\t3\t891717742\n22\t377\t1\t878887116\n22\t1\t9\t878887116\n",
    "u.item": (
        b"1|Toy Story (1995)|01-Jan-1995||http://us.imdb.com/M/title-exact?Toy%20Story%20(1995)"
        b"|0|0|0|1|1|1|0|0|0|0|0|0|0|0|0|0|0|0|0\n"
        b"267|unknown||||1|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0\n"
        b"377|Caf\xe9 (1994) (V)|01-Feb-1996|||0|0|0|0|0|0|0|0|1|0|0|0|0|0|0|0|0|0|1\n"
        b"378|Undated|11-Nov-1993|||0|1|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0\n"
        b"379|Flags (1994)|01-Jan-1994|||0|2|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0\n"
    ),
    "u.genre": b"unknown|0\nAction|1\nAdventure|2\nAnimation|3\nKids|4\nrubbish\n\n",
    "u1.base": b"196\t1\t3\t881250949\n",
    "u1.test": b"186\t267\t3\t891717742\n22\t377\t1\t878887116\nno pair\n22\t377\t1\t878887117\n",
}


def test_100k_with_flags_for_genres(spark: SparkSession, tmp_path: Path) -> None:
    films = Films(spark, tmp_path, HUNDRED_K)
    assert films.titled() == {
        1: ("Toy Story", 1995, ["Animation", "Kids", "Comedy"]),
        267: ("unknown", None, []),
        377: ("Café", 1994, ["Drama", "Western"]),
        378: ("Undated", 1993, ["Action"]),
    }
    assert sorted(films.rejects.values()) == sorted([NOT_A_FLAG, RecordReason.FIELDS])
    assert films.rejects["rubbish"] == RecordReason.FIELDS


def test_a_genre_without_a_place_is_rejected(spark: SparkSession, tmp_path: Path) -> None:
    films = Films(spark, tmp_path, {"u.data": HUNDRED_K["u.data"], "u.genre": b"Action|19\nDrama|8\n |3\n"})
    assert films.rejects == {"Action|19": NOT_A_GENRE, " |3": NOT_A_GENRE}
    assert (films.rows, films.good) == ({}, 1)


def real_films(real_data: Path) -> list[bytes]:
    return (real_data / "ml-latest-small" / "movies.csv").read_bytes().splitlines()[1:]


def test_the_real_films(spark: SparkSession, real_data: Path, tmp_path: Path) -> None:
    folder = real_data / "ml-latest-small"
    names = ("ratings.csv", "movies.csv", "links.csv", "tags.csv")
    films = Films(spark, tmp_path, {name: (folder / name).read_bytes() for name in names})
    with (folder / "movies.csv").open(newline="", encoding="utf-8") as file:
        delivered = {int(row["movieId"]): row["title"] for row in csv.DictReader(file)}
    assert (len(films.rows), films.good, films.rejects) == (9_742, 9_742 + 9_742 + 3_683, {})
    for item_id, title in delivered.items():
        row = films.rows[item_id]
        assert title.removeprefix(row["title"]).strip() in {"", f"({row['year']})", "(2006–2007)"}
    assert sum(row["year"] is None for row in films.rows.values()) == 12
    assert sum(row["genres"] == [] for row in films.rows.values()) == 34
    assert sum(row["tmdb_id"] is None for row in films.rows.values()) == 8
    assert max(len(row["tags"] or ()) for row in films.rows.values()) == 50


@settings(max_examples=4, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None)
@given(st.data())
def test_no_good_film_is_lost_among_mutated_ones(
    spark: SparkSession, real_data: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Without quotes and line feeds among the mutations, every line is a film or a reject."""
    lines = [line for line in real_films(real_data) if b'"' not in line]
    good, to_mutate = lines[:300], lines[300:400]
    junk = st.binary(max_size=4).map(lambda junk: junk.replace(b'"', b"'").replace(b"\n", b"|"))
    cuts = data.draw(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 9), junk), min_size=100, max_size=100))
    mutated = [line[:at] + junk + line[at + gone :] for line, (at, gone, junk) in zip(to_mutate, cuts, strict=True)]
    mixed = [line for pair in zip(good[:100], mutated, strict=True) for line in pair] + good[100:]
    text = b"movieId,title,genres\r\n" + b"\r\n".join(mixed)
    films = Films(spark, tmp_path_factory.mktemp("ml"), {"ratings.csv": CSV_RATINGS, "movies.csv": text})
    assert films.good == len(films.rows)
    assert films.good + films.rejected == sum(1 for line in mixed if line.strip())
    assert {int(line.split(b",")[0]) for line in good} <= films.rows.keys()


def test_an_archive_as_published_goes_into_bronze_and_is_read_again_only_when_replaced(
    spark: SparkSession, tmp_path: Path
) -> None:
    archive = tmp_path / "ml-100k.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in HUNDRED_K.items():
            made.writestr(f"ml-100k/{name}", data)
    chosen = load_settings(archive, f"tables.root={tmp_path / 'tables'}", "ingest.max_reject_share=1.0")
    tables = Tables(spark, chosen.tables)
    report = ingest(tables, chosen, ingested_at=NOW)
    ratings = tables.read("bronze_ratings").select("user_id", "item_id", "rating", F.unix_seconds("rated_at"))
    assert sorted(tuple(row) for row in ratings.collect()) == [
        (22, 377, 1.0, 878_887_116),
        (186, 267, 3.0, 891_717_742),
        (196, 1, 3.0, 881_250_949),
    ]
    assert (report.files_read, report.rows_in, report.rows_kept, report.items) == (3, 4, 3, 4 + 5)
    quarantined = tables.read("bronze_quarantine").select("line", "reason").collect()
    assert {row["line"]: row["reason"] for row in quarantined}["22\t1\t9\t878887116"] == Reason.SCALE
    assert len(quarantined) == 1 + 2
    assert ingest(tables, chosen, ingested_at=NOW).files_read == 0
    archive.write_bytes(archive.read_bytes())
    assert ingest(tables, chosen, ingested_at=NOW).files_read == 3
