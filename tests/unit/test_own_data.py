"""What a person can get wrong about own data is one line before Spark starts."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake

from nightreel.errors import ConfigurationError, DataError
from nightreel.settings import load
from nightreel.sources.own import OwnData
from nightreel.sources.own.files import CsvForm, Kind, csv_columns, find_data, kind_of


def own(path: object, *overrides: str, source: str = "own") -> OwnData:
    return OwnData(load("local", [f"data.source={source}", f'data.path="{path}"', *overrides]))


def write(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text)
    return folder / name


def test_what_counts_in_a_folder(tmp_path: Path) -> None:
    for name in ("b.csv", "a.TSV", "c.jsonl", "d.ndjson.gz", "e.parquet", "_SUCCESS", ".b.csv.crc", "notes.md"):
        write(tmp_path, name, "")
    found = find_data([str(tmp_path), str(tmp_path / "b.csv")], setting="data.path")
    assert [(file.name, kind_of(file)) for file in found] == [
        ("a.TSV", Kind.CSV),
        ("b.csv", Kind.CSV),
        ("c.jsonl", Kind.JSON),
        ("d.ndjson.gz", Kind.JSON),
        ("e.parquet", Kind.PARQUET),
    ]


def test_a_delta_table_counts_as_a_file_of_its_version(tmp_path: Path) -> None:
    folder = str(tmp_path / "liked")
    rows = pa.table({"user_id": [1], "item_id": [2], "rating": [3.0]})
    write_deltalake(folder, rows)
    write_deltalake(folder, rows, mode="append")
    (file,) = find_data([folder], setting="data.path")
    assert (file.path, file.size, kind_of(file)) == (f"{folder}/_delta_log", 1, Kind.DELTA)
    assert own(folder).find().ratings == [file]
    with pytest.raises(ConfigurationError, match=r"data\.columns\.user = 'who': no such column in .*user_id, item_id"):
        own(folder, "data.columns.user=who").find()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "userId;item_id;rating\n"),
        ("a.csv", '\ufeff"userId" , item_id,rating\n1,2,3\n'),
        ("a.tsv", "userId\titem_id\trating\n"),
        ("a.jsonl", '{"item_id": 1}\nrubbish\n{"userId": 1, "rating": 2}\n'),
    ],
)
def test_an_unknown_column_is_answered_with_those_there_are(tmp_path: Path, name: str, text: str) -> None:
    path = write(tmp_path, name, text)
    separator = "data.separator=;" if ";" in text else "data.separator=,"
    with pytest.raises(
        ConfigurationError, match=r"data\.columns\.user = 'user_id': no such column in .*a\.[a-z]+; it has "
    ):
        own(path, separator).find()
    assert own(path, separator, "data.columns.user=userId").find().ratings[0].path == str(path)


def test_columns_of_the_same_name_keep_their_places(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", ",,user_id,x,item_id,x,rating\n")
    (file,) = own(path).find().ratings
    assert csv_columns(file, CsvForm(",", "double", header=True)) == ("", "", "user_id", "x", "item_id", "x", "rating")


def test_columns_of_parquet(tmp_path: Path) -> None:
    pq.write_table(pa.table({"user_id": [1], "item_id": ["x"], "stars": [1.0]}), tmp_path / "a.parquet")
    with pytest.raises(
        ConfigurationError, match=r"columns\.rating = 'rating': no such .* it has user_id, item_id, stars"
    ):
        own(tmp_path).find()
    own(tmp_path, "data.columns.rating=stars").find()


@pytest.mark.parametrize(
    ("overrides", "source", "said"),
    [
        (["data.columns.rating="], "own", r'data\.columns\.rating is empty: with data\.source = "own"'),
        (["data.columns.item=user_id"], "own", r"data\.columns: .*two of these are the same column"),
        (["data.columns.time=when"], "events", r"data\.columns\.time = 'when': no such column"),
        (["data.separator=x"], "own", r"data\.separator = 'x': must be"),
        (["data.items=/no/such/file"], "own", r"data\.items: /no/such/file: no such file or folder"),
        (["data.path=/no/such/file.csv"], "own", r"data\.path: /no/such/file.csv: no such file or folder"),
        (["data.path=nosuch.csv"], "own", r"data\.path: nosuch\.csv: no such file or folder"),
    ],
)
def test_settings_that_cannot_be(tmp_path: Path, overrides: list[str], source: str, said: str) -> None:
    path = write(tmp_path, "a.csv", "user_id,item_id,rating\n1,2,3\n")
    with pytest.raises(ConfigurationError, match=said):
        own(path, *overrides, source=source).find()


def test_files_without_anything(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no data there; looked for \*\.csv"):
        own(tmp_path).find()
    write(tmp_path, "a.csv", "")
    with pytest.raises(DataError, match=r"a\.csv: has no columns: it is empty, or no CSV"):
        own(tmp_path).find()
    write(tmp_path, "a.csv", "user_id,item_id,rating\n")
    write(tmp_path, "b.parquet", "not Parquet")
    with pytest.raises(DataError, match=r"b\.parquet: the file cannot be read"):
        own(tmp_path).find()


def test_what_the_rows_depend_on_makes_another_reading(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "user_id,item_id,rating\n1,2,3\n")
    before = own(path).reading
    assert own(path).reading == before
    assert own(path, "scale.highest=9").reading != before
    assert own(path, "ingest.max_line_bytes=99").reading != before
