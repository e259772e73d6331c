"""What a person can get wrong about own data is one line before Spark starts."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake

from nightreel.errors import ConfigurationError, DataError
from nightreel.settings import load
from nightreel.sources.own import OwnData
from nightreel.sources.own.files import Kind, csv_columns, find_data, kind_of, partitions_of


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
    assert csv_columns(file, load("local").data) == ("", "", "user_id", "x", "item_id", "x", "rating")


@pytest.mark.parametrize(
    ("text", "overrides", "said"),
    [
        ("user_id;item_id;rating\n", [], r'it has user_id;item_id;rating; .*: --set data\.separator=";"$'),
        ("user_id\titem_id\trating\n", [], r'--set data\.separator="\\t"$'),
        ("user_id::item_id::rating\n", ["data.separator=;"], r'--set data\.separator="::"$'),
        ("7,31,2\n8,31,4\n", [], r"no header: the first line looks like data; --set data\.header=false"),
        ("anna,31,2.5\n", ["data.header=false"], r"it has 1, 2, 3$"),
        ("userId,item_id,rating\n", [], r"it has userId, item_id, rating$"),
    ],
)
def test_missing_columns_are_explained(tmp_path: Path, text: str, overrides: list[str], said: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"^data\.columns\.user = 'user_id': no such column .*{said}"):
        own(write(tmp_path, "a.csv", text), *overrides).find()


def test_columns_by_place(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", '\n\ufeff7,"31, x",2\n')
    places = ['data.columns.user="1"', 'data.columns.item="2"', "data.header=false"]
    (file,) = own(path, *places, 'data.columns.rating="3"').find().ratings
    assert csv_columns(file, load("local", ["data.header=false"]).data) == ("1", "2", "3")
    with pytest.raises(ConfigurationError, match=r"data\.columns\.rating = '4': no such column"):
        own(path, *places, 'data.columns.rating="4"').find()


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
@pytest.mark.parametrize("name", ["a.csv", "a.json"])
def test_utf_16_is_called_so(tmp_path: Path, encoding: str, name: str) -> None:
    (tmp_path / name).write_bytes("user_id,item_id,rating\n1,2,3\n".encode(encoding))
    with pytest.raises(DataError, match=rf"{name}: is UTF-16, or no text at all: save it as UTF-8"):
        own(tmp_path).find()


def test_partitions_are_looked_into_and_name_columns(tmp_path: Path) -> None:
    for year in (2024, 2025):
        (tmp_path / f"year={year}/day=1").mkdir(parents=True)
        rows = pa.table({"user_id": [1], "item_id": [2], "rating": [3.0]})
        pq.write_table(rows, tmp_path / f"year={year}/day=1/part-0.parquet")
    (tmp_path / "other").mkdir()
    write(tmp_path / "other", "a.csv", "no such columns\n")
    found = own(tmp_path, "data.columns.time=year").find().ratings
    assert [partitions_of(file) for file in found] == [{"year": year, "day": "1"} for year in ("2024", "2025")]


def test_what_spark_cannot_read_is_refused_by_name(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.csv", "user_id,item_id,rating\n")
    with pytest.raises(ConfigurationError, match=r"a\.csv::.*a\.zip: unpack the archive"):
        own(tmp_path).find()
    path = write(tmp_path, "_a.csv", "user_id,item_id,rating\n")
    with pytest.raises(ConfigurationError, match=r"_a\.csv: rename it: Spark passes over"):
        own(path).find()
    at = pa.array([1], pa.time64("ns"))
    pq.write_table(pa.table({"user_id": [1], "item_id": [1], "rating": [1], "at": at}), tmp_path / "a.parquet")
    with pytest.raises(
        ConfigurationError, match=r"data\.columns\.time = 'at': .*a\.parquet has it as time64\[ns\], which cannot"
    ):
        own(tmp_path / "a.parquet", "data.columns.time=at").find()
    own(tmp_path / "a.parquet").find()


def test_an_empty_file_among_others_is_refused_by_name(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", "")
    write(tmp_path, "b.csv", "user_id,item_id,rating\n1,2,3\n")
    with pytest.raises(DataError, match=r"a\.csv: has no columns: it is empty, or no CSV"):
        own(tmp_path).find()


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
