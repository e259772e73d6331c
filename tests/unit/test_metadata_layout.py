"""Which files metadata.path means, and the one line a person gets where it means none."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import pytest

from nightreel.errors import ConfigurationError
from nightreel.settings import MetadataSettings
from nightreel.sources.metadata import find_metadata

FILMS = b"genres,id,overview,title,release_date,vote_count\n"
CREDITS = b"cast,crew,id\n"
KEYWORDS = b"id,keywords\n"


def found(*paths: Path | str) -> list[str]:
    return [file.path for file in find_metadata(MetadataSettings(path=tuple(map(str, paths)), min_votes=0))]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = {"movies_metadata.csv": FILMS, "credits.csv": CREDITS, "keywords.csv": KEYWORDS, "ratings.csv": b"userId\n"}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "notes.csv").write_bytes(b"")
    return tmp_path


def test_without_a_path_there_are_no_files() -> None:
    assert found() == []


def test_a_file_brings_what_lies_beside_it_and_a_folder_what_is_metadata(folder: Path) -> None:
    expected = [str(folder / name) for name in ("credits.csv", "keywords.csv", "movies_metadata.csv")]
    assert found(folder / "movies_metadata.csv") == expected
    assert found(folder) == found(f"{folder}/*.csv") == found(folder, folder / "credits.csv") == expected


def test_packed_files_count_unless_their_unpacked_twins_are_there(folder: Path, tmp_path: Path) -> None:
    (folder / "keywords.csv.gz").write_bytes(gzip.compress(KEYWORDS))
    (folder / "tmdb_5000_movies.csv.gz").write_bytes(gzip.compress(FILMS))
    names = ["credits.csv", "keywords.csv", "movies_metadata.csv", "tmdb_5000_movies.csv.gz"]
    assert found(folder) == [str(folder / name) for name in names]


def test_an_archive_is_a_folder(tmp_path: Path) -> None:
    path = tmp_path / "archive.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("movies_metadata.csv", FILMS)
        archive.writestr("credits.csv", CREDITS)
    assert found(path) == [f"zip://credits.csv::{path}", f"zip://movies_metadata.csv::{path}"]


def test_a_name_that_is_no_metadata_is_one_clear_line(folder: Path) -> None:
    for name in ("ratings.csv", "notes.csv"):
        with pytest.raises(ConfigurationError) as told:
            found(folder / name)
        assert str(told.value) == (
            f"metadata.path: {folder / name}: no film metadata there; movies_metadata.csv and tmdb_5000_movies.csv "
            "name genres, id, overview, release_date, title in their headers"
        )
    with pytest.raises(ConfigurationError, match=r"credits\.csv: no file with a row a film; "):
        found(folder / "credits.csv")
    with pytest.raises(ConfigurationError, match=r"metadata\.path: .*none: no such file or folder"):
        found(folder / "none")
