"""Which dataset files are, told from their names and first lines."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import pytest

from nightreel.errors import ConfigurationError, DataError
from nightreel.sources.recognise import Recognised, recognise

NETFLIX = {
    "combined_data_1.txt": "1:\n2,3,2005-01-01\n",
    "combined_data_2.txt": "5:\n",
    "movie_titles.csv": "1,2000,A\n",
}
MOVIELENS = {
    "ratings.csv": "userId,movieId,rating,timestamp\n1,1,4.0,9\n",
    "movies.csv": "",
    "links.csv": "",
    "tags.csv": "",
}
ML_1M = {"ratings.dat": "1::2::3::4\n", "movies.dat": ""}
ML_100K = {"u.data": "1\t2\t3\t4\n", "u.item": "", "u1.base": ""}
KMRD = {"rates.csv": "user,movie,rate,time\n0,1,10,9\n", "movies.txt": "", "castings.csv": "", "peoples.txt": ""}


def write(folder: Path, files: dict[str, str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def pack(archive: Path, files: dict[str, str]) -> Path:
    with zipfile.ZipFile(archive, "w") as made:
        for name, text in files.items():
            made.writestr(f"{archive.stem}/{name}", text)
    return archive


@pytest.mark.parametrize(
    ("files", "source", "said"),
    [
        (NETFLIX, "netflix", "Netflix Prize (combined_data_1.txt, combined_data_2.txt, movie_titles.csv) in data"),
        (MOVIELENS, "movielens", "MovieLens CSV (ratings.csv, movies.csv, links.csv, tags.csv) in data"),
        ({"ratings.csv": "\ufeff" + MOVIELENS["ratings.csv"]}, "movielens", "MovieLens CSV (ratings.csv) in data"),
        ({"rating.csv": '"userId","movieId","rating"\r\n'}, "movielens", "MovieLens CSV (rating.csv) in data"),
        (ML_1M, "movielens", "MovieLens 1M or 10M (ratings.dat, movies.dat) in data"),
        (ML_100K, "movielens", "MovieLens 100K (u.data, u.item) in data"),
        (
            {"ratings_small.csv": MOVIELENS["ratings.csv"], "links_small.csv": "", "links.csv": ""},
            "movielens",
            "MovieLens CSV, as a sample in The Movies Dataset (ratings_small.csv, links_small.csv) in data",
        ),
        (
            {"combined_data_0.txt": "", "combined_data_1.txt": "\ufeff" + NETFLIX["combined_data_1.txt"]},
            "netflix",
            "Netflix Prize (combined_data_0.txt, combined_data_1.txt) in data",
        ),
        (KMRD, "kmrd", "KMRD (rates.csv, movies.txt, castings.csv, peoples.txt) in data"),
    ],
)
def test_each_dataset_in_its_folder(tmp_path: Path, files: dict[str, str], source: str, said: str) -> None:
    folder = write(tmp_path / "data", {**files, "README": "read me"})
    assert recognise([str(folder)]) == Recognised(source, said)


@pytest.mark.parametrize(("files", "source"), [(NETFLIX, "netflix"), (MOVIELENS, "movielens"), (KMRD, "kmrd")])
def test_in_archives_in_folders_of_the_folder_and_one_by_one(
    tmp_path: Path, files: dict[str, str], source: str
) -> None:
    archive = pack(tmp_path / "published.zip", files)
    folder = write(tmp_path / "above" / "unpacked", files)
    found = recognise([str(archive)])
    assert (found.source, found.said.rpartition(" in ")[2]) == (source, "published.zip")
    assert recognise([str(tmp_path)]).said.endswith("in published.zip")
    assert recognise([str(folder.parent)]).said.endswith("in unpacked")
    assert recognise([f"{folder}/*"]) == recognise([str(folder / name) for name in files]) == recognise([str(folder)])


def test_packed_files_are_looked_into(tmp_path: Path) -> None:
    for name, text in MOVIELENS.items():
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(text.encode()))
    assert recognise([str(tmp_path)]).source == "movielens"
    (tmp_path / "ratings.csv.gz").write_bytes(b"no gzip")
    with pytest.raises(DataError, match=r"ratings\.csv\.gz: the file cannot be read"):
        recognise([str(tmp_path)])


def test_a_file_in_utf_16_is_named(tmp_path: Path) -> None:
    (tmp_path / "combined_data_1.txt").write_text(NETFLIX["combined_data_1.txt"], encoding="utf-16")
    with pytest.raises(DataError, match=r"combined_data_1\.txt: the file cannot be read: it is in UTF-16: convert"):
        recognise([str(tmp_path)])


def test_what_is_none_of_them_is_said_with_what_was_looked_for_and_found(tmp_path: Path) -> None:
    folder = str(write(tmp_path / "data", {"ours.csv": "user,item,stars\n"}))
    with pytest.raises(ConfigurationError) as error:
        recognise([folder])
    assert str(error.value) == (
        f'data.source = "auto": {folder}: none of netflix, movielens, kmrd: looked for combined_data_*.txt, mv_*.txt, '
        "ratings.csv, ratings.dat, u.data, ratings_small.csv, rates.csv, rates-2m.csv, rates-5m.csv; found ours.csv; "
        'if these are ratings of another form, set data.source = "own"'
    )
    write(tmp_path / "data", {"ratings.csv": "user,item,stars\n"})
    with pytest.raises(ConfigurationError, match=r"found ratings\.csv, which begins 'user,item,stars' and so is not"):
        recognise([folder])
    with pytest.raises(ConfigurationError, match="no such file or folder"):
        recognise([str(tmp_path / "nowhere")])
    with pytest.raises(ConfigurationError, match="found no file"):
        recognise([str(write(tmp_path / "empty", {}))])


def test_several_datasets_are_told_apart(tmp_path: Path) -> None:
    write(tmp_path / "a", MOVIELENS)
    write(tmp_path / "b", KMRD)
    with pytest.raises(ConfigurationError, match=r"several datasets \(MovieLens CSV .* in a; KMRD .* in b\): name one"):
        recognise([str(tmp_path)])
    assert recognise([str(tmp_path / "b")]).source == "kmrd"


@pytest.mark.parametrize(
    ("folder", "source"), [("ml-latest-small", "movielens"), ("kmrd-small", "kmrd"), ("netflix", "netflix")]
)
def test_the_real_ones(real_data: Path, folder: str, source: str) -> None:
    assert recognise([str(real_data / folder)]).source == source
