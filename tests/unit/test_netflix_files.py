"""Which files count as the dump, wherever fsspec finds them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from nightreel.errors import ConfigurationError, DataError
from nightreel.sources.files import open_bytes
from nightreel.sources.netflix.source import find_pairs, find_ratings, find_titles

NAMES = ["combined_data_2.txt", "combined_data_1.txt.gz", "movie_titles.csv", "probe.txt", "README", "notes.txt"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "a place [with] spaces"
    (place / "training_set").mkdir(parents=True)
    for name in [*NAMES, "training_set/mv_0000001.txt"]:
        (place / name).write_text("1:\n")
    return place


def names(paths: list[str]) -> list[str]:
    return [file.path.rpartition("/")[2] for file in find_ratings(paths)]


def test_a_folder_gives_the_prizes_files_and_those_of_its_training_set(folder: Path) -> None:
    assert names([str(folder)]) == ["combined_data_1.txt.gz", "combined_data_2.txt", "mv_0000001.txt"]


def test_overlapping_paths_are_read_once(folder: Path) -> None:
    file = str(folder / "combined_data_2.txt")
    assert names([file, file, str(folder)]).count("combined_data_2.txt") == 1


def test_a_glob_brings_other_names_but_not_the_prizes_other_files(tmp_path: Path) -> None:
    for name in ("part-0.txt", "part-1.txt", "movie_titles.txt", "qualifying.txt"):
        (tmp_path / name).write_text("1:\n")
    assert names([f"{tmp_path}/*.txt"]) == ["part-0.txt", "part-1.txt"]


def test_a_packed_file_beside_its_unpacked_twin_is_left_out(tmp_path: Path) -> None:
    for name in ("combined_data_1.txt", "combined_data_1.txt.gz"):
        (tmp_path / name).write_text("1:\n")
    assert names([str(tmp_path)]) == ["combined_data_1.txt"]


def test_titles_are_found_beside_the_ratings_and_above_the_training_set(folder: Path) -> None:
    for paths in ([str(folder)], [str(folder / "training_set")]):
        found = find_titles("", find_ratings(paths))
        assert found is not None
        assert found.path == str(folder / "movie_titles.csv")
    (folder / "movie_titles.csv").unlink()
    assert find_titles("", find_ratings([str(folder)])) is None


def test_what_is_not_there_is_named(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"data\.items: .*no such file"):
        find_titles(str(folder / "titles.csv"), [])
    with pytest.raises(DataError, match=r"data\.path: .*looked for combined_data"):
        (folder / "training_set" / "empty").mkdir()
        find_ratings([str(folder / "training_set" / "empty")])
    with pytest.raises(ConfigurationError, match=r"pairs: .*no such file"):
        find_pairs(str(folder / "qualifying.txt"))


def test_several_files_are_not_one_list_of_pairs(folder: Path) -> None:
    (folder / "qualifying.txt").write_bytes(b"1:\n2\n")
    with pytest.raises(ConfigurationError, match=r"must be one file such as probe\.txt, found 2"):
        find_pairs(str(folder))


@pytest.fixture
def memory() -> Iterator[fsspec.AbstractFileSystem]:
    store = fsspec.filesystem("memory")
    store.pipe({"/bucket/combined_data_1.txt": b"1:\n2,3,2005-01-01\n", "/bucket/movie_titles.csv": b"1,2000,One\n"})
    yield store
    store.rm("/bucket", recursive=True)


def test_object_stores_keep_their_protocol(memory: fsspec.AbstractFileSystem) -> None:
    (file,) = find_ratings(["memory://bucket"])
    assert (file.path, file.size) == ("memory:///bucket/combined_data_1.txt", 18)
    assert file.modified_at is not None
    titles = find_titles("", [file])
    assert titles is not None
    assert open_bytes(titles.path).read() == b"1,2000,One\n"
    assert [one.path for one in find_ratings(["memory://bucket/combined_*"])] == [file.path]
