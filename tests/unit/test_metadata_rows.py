"""A record of a metadata file as a film: kept whole, kept without a column, or rejected."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from pathlib import Path

from nightreel.sources.judging import TITLE_CONTROL
from nightreel.sources.metadata import KEPT_WITHOUT, NO_ID, SCHEMA, film_rows
from nightreel.sources.records import RecordReason

HEADER = b"budget,genres,id,imdb_id,overview,production_countries,release_date,title,vote_average,vote_count\n"
HEAT = b"""60,"[{'id': 1, 'name': 'Crime'}]",949,tt0113277,"Obsessive\nmaster thief",[],1995-12-15,Heat,7.7,1886\n"""
BROKEN = (
    HEADER
    + HEAT
    + b"0,[],82663,tt0113002,Midnight\n - Written by \xc3\x98rn\xc3\xa5s,/ff9q.jpg,1997-08-20,0,0,0,0,0,0\n"
    + b"x,[],2012-09-29,tt1,,[],,Shifted,1,2\n"
    + "y,\"[{'id': 1, 'na\",129,tt0245429, ,\"[{'name': 'Japan'}]\",20/7/2001,千と千尋の神隠し,8.3,many\n".encode()
    + HEAT
)


def told(data: bytes) -> list[dict[str, object]]:
    found = film_rows(io.BytesIO(data), max_record_bytes=10_000)
    return [dict(zip(SCHEMA.names[1:], cells, strict=True)) for cells in found]


def films(found: list[dict[str, object]]) -> list[dict[str, object]]:
    return [row for row in found if row["reason"] is None]


def test_a_film_as_its_file_tells_of_it() -> None:
    (film,) = films(told(HEADER + HEAT))
    assert film == {
        "position": len(HEADER),
        "line": None,
        "reason": None,
        "lines": 1,
        "is_film": True,
        "metadata_id": 949,
        "imdb_id": "tt0113277",
        "title": "Heat",
        "original_title": None,
        "year": 1995,
        "overview": "Obsessive\nmaster thief",
        "genres": ["Crime"],
        "keywords": None,
        "cast": None,
        "directors": None,
        "countries": [],
        "vote_average": 7.7,
        "vote_count": 1886,
    }


def test_broken_rows_are_rejected_and_rows_with_an_id_kept_without_what_cannot_be_read() -> None:
    found = told(BROKEN)
    reasons = Counter((row["reason"], row["lines"]) for row in found)
    unread = [KEPT_WITHOUT.format(column=name) for name in ("genres", "release_date", "vote_count")]
    assert reasons == {(None, 1): 3, (RecordReason.FIELDS, 1): 2, (NO_ID, 1): 1} | {(why, 0): 1 for why in unread}
    heat, japan, again = films(found)
    assert (heat["metadata_id"], again["metadata_id"], japan["metadata_id"]) == (949, 949, 129)
    assert (japan["title"], japan["overview"], japan["countries"]) == ("千と千尋の神隠し", None, ["Japan"])
    assert japan["genres"] is japan["year"] is japan["vote_count"] is None
    (shifted,) = [row for row in found if row["reason"] == NO_ID]
    assert shifted["line"] == "x,[],2012-09-29,tt1,,[],,Shifted,1,2"
    assert shifted["position"] == BROKEN.index(b"x,[]")


def test_other_orders_json_and_stray_carriage_returns() -> None:
    header = b"title,release_date,overview,keywords,id,genres,vote_count\r\n"
    row = b'"Ava\rtar",2009-12-10,In the\r22nd century,"[{""id"": 1, ""name"": ""culture clash""}]",19995,[],11800\r\n'
    (film,) = films(told(header + row))
    assert (film["title"], film["overview"], film["keywords"]) == ("Ava tar", "In the 22nd century", ["culture clash"])
    assert (film["metadata_id"], film["genres"], film["vote_count"], film["is_film"]) == (19995, [], 11800, True)


def test_casts_and_keywords_of_films_that_other_files_describe() -> None:
    credits = b'movie_id,title,cast,crew\n949,Heat,"[{""name"": ""Al Pacino"", ""order"": 0}]","[]"\n'
    (row,) = told(credits)
    assert (row["metadata_id"], row["cast"], row["directors"], row["is_film"]) == (949, ["Al Pacino"], [], False)
    (row,) = told(b"id,keywords\n949,\"[{'id': 2, 'name': 'robbery'}]\"\n")
    assert (row["metadata_id"], row["keywords"], row["cast"], row["is_film"]) == (949, ["robbery"], None, False)


def test_control_signs_are_no_part_of_titles_but_lines_are_of_overviews() -> None:
    escaped = HEAT.replace(b"Heat", b"He\x1b[31mat")
    found = told(HEADER + HEAT + escaped + HEAT.replace(b"'Crime'", b"'Cri\\x1bme'"))
    assert [row["reason"] for row in found] == [None, TITLE_CONTROL, None]
    assert found[1]["position"] == len(HEADER + HEAT)
    assert found[2]["genres"] == ["Cri?me"]


def test_the_real_file_has_the_rows_that_the_csv_module_counts(real_data: Path) -> None:
    path = real_data / "movies-metadata" / "movies_metadata.csv"
    with path.open(encoding="utf-8", newline="") as text:
        expected = list(csv.DictReader(text))
    with path.open("rb") as stream:
        found = [
            dict(zip(SCHEMA.names[1:], cells, strict=True)) for cells in film_rows(stream, max_record_bytes=1 << 20)
        ]
    assert len(found) == len(films(found)) == len(expected) == 2_996
    assert [str(film["metadata_id"]) for film in found] == [row["id"] for row in expected]
    assert [film["vote_count"] for film in found] == [int(row["vote_count"]) for row in expected]
    assert [film["genres"] for film in found] == [re.findall(r"'name': '([^']*)'", row["genres"]) for row in expected]
    assert Counter(film["metadata_id"] for film in found).most_common(1) == [(105_045, 2)]
    assert sum(film["overview"] is None for film in found) == 23  # 18 are empty, 5 say that there is none
    assert sum(film["year"] is None for film in found) == 2
