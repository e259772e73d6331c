"""Which files are MovieLens, how their lines are ratings, and what is said where they are not."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from nightreel.errors import ConfigurationError, DataError
from nightreel.settings import Settings, load
from nightreel.sources.datasets.movielens import (
    CSV,
    DAT,
    GENRES,
    U_DATA,
    MovieLens,
    genre_names,
    rating_lines,
)
from nightreel.sources.files import RawFile
from nightreel.sources.held_out import find_fold

CSV_FILES = {
    "ratings.csv": "userId,movieId,rating,timestamp\n1,2,3.5,4\n",
    "movies.csv": "movieId,title,genres\n",
    "links.csv": "movieId,imdbId,tmdbId\n",
    "tags.csv": "userId,movieId,tag,timestamp\n",
    "genome-tags.csv": "tagId,tag\n",
    "README.txt": "",
}
SMALL_FILES = {
    "ratings_small.csv": CSV_FILES["ratings.csv"],
    "links_small.csv": CSV_FILES["links.csv"],
    "links.csv": CSV_FILES["links.csv"],
    "movies_metadata.csv": "",
}
DAT_FILES = {"ratings.dat": "1::2::3::4\n", "movies.dat": "", "users.dat": ""}
U_FILES = {
    "u.data": "1\t2\t3\t4\n",
    "u.item": "",
    "u.genre": "",
    "u.user": "",
    "u1.base": "",
    "u1.test": "",
    "ua.test": "",
}


def write(folder: Path, files: dict[str, str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def settings(path: Path | str, *overrides: str) -> Settings:
    return load("local", ["data.source=movielens", f'data.path="{path}"', *overrides])


def found(path: Path | str, *overrides: str) -> list[str]:
    files = MovieLens(settings(path, *overrides)).find()
    return [file.path.removeprefix(f"{path}/") for file in (*files.ratings, *files.items)]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (CSV_FILES, ["ratings.csv", "links.csv", "movies.csv", "tags.csv"]),
        (DAT_FILES, ["ratings.dat", "movies.dat"]),
        (U_FILES, ["u.data", "u.genre", "u.item"]),
        ({"ratings.csv": CSV_FILES["ratings.csv"]}, ["ratings.csv"]),
        (SMALL_FILES, ["ratings_small.csv", "links_small.csv"]),
        (CSV_FILES | SMALL_FILES, ["ratings.csv", "links.csv", "movies.csv", "tags.csv"]),
    ],
)
def test_ratings_and_what_describes_films_are_found(tmp_path: Path, files: dict[str, str], expected: list[str]) -> None:
    assert found(write(tmp_path / "ml", files)) == expected
    assert found(tmp_path) == [f"ml/{name}" for name in expected]
    archive = tmp_path / "ml.zip"
    with zipfile.ZipFile(archive, "w") as made:
        for name, text in files.items():
            made.writestr(f"ml/{name}", text)
    assert found(archive) == [f"zip://ml/{name}::{archive}" for name in expected]


def test_a_copy_further_down_does_not_count(tmp_path: Path) -> None:
    write(tmp_path / "old", CSV_FILES)
    assert found(write(tmp_path, CSV_FILES))[0] == "ratings.csv"


def test_the_sample_is_read_where_it_is_named(tmp_path: Path) -> None:
    folder = write(tmp_path, CSV_FILES | SMALL_FILES)
    named = MovieLens(settings(folder / "ratings_small.csv")).find()
    assert [file.name for file in (*named.ratings, *named.items)] == ["ratings_small.csv", "links_small.csv"]


def test_films_are_looked_for_beside_ratings_named_by_themselves_and_where_the_settings_say(tmp_path: Path) -> None:
    folder = write(tmp_path / "ml", CSV_FILES)
    assert len(found(folder / "ratings.csv")) == 4
    moved = write(tmp_path / "films", {"movies.csv": "movieId,title,genres\n"})
    assert found(folder, f"data.items={moved}") == ["ratings.csv", str(moved / "movies.csv")]
    with pytest.raises(ConfigurationError, match=r"data\.items: .*README\.txt: none of the files of MovieLens CSV"):
        found(folder, f"data.items={folder}/README.txt")


def test_what_is_missing_or_there_twice_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"data\.path: .*no ratings of MovieLens there; looked for ratings\.csv"):
        found(write(tmp_path / "empty", {"README": ""}))
    for name in ("one", "two"):
        write(tmp_path / "both" / name, CSV_FILES)
    with pytest.raises(ConfigurationError, match=r"must be one dataset of MovieLens, found .*one/ratings\.csv, .*two/"):
        found(tmp_path / "both")
    other = write(tmp_path / "other", {"ratings.csv": "user,item,stars\n"})
    with pytest.raises(DataError, match=r"ratings\.csv: begins 'user,item,stars', where MovieLens has userId,movieId"):
        found(other)


def test_the_header_tells_where_the_fields_are(tmp_path: Path) -> None:
    scale = settings(tmp_path).scale

    def lines(text: str) -> tuple[object, ...]:
        (tmp_path / "rating.csv").write_text(text)
        columns = rating_lines(CSV, RawFile(str(tmp_path / "rating.csv"), len(text), None), scale)
        return (columns.fields, columns.user, columns.item, columns.rating, columns.time, columns.header)

    assert lines("\ufeffuserId,movieId,rating,timestamp\r\n") == (4, 0, 1, 2, 3, True)
    assert lines('"userId","movieId","rating","timestamp"\n') == (4, 0, 1, 2, 3, True)
    assert lines("n,rating,movieId,userId\n") == (4, 3, 2, 1, None, True)


def test_the_older_forms_have_no_header(tmp_path: Path) -> None:
    scale = settings(tmp_path).scale
    for edition, separator in ((DAT, "::"), (U_DATA, "\t")):
        lines = rating_lines(edition, RawFile("/ratings", 1, None), scale)
        assert (lines.separator, lines.fields, lines.header) == (separator, 4, False)
        assert (lines.lowest, lines.highest) == (0.5, 5.0)


def test_genres_are_named_by_their_file_or_as_published(tmp_path: Path) -> None:
    path = tmp_path / "u.genre"
    path.write_bytes(b"unknown|0\nAbenteuer|2\n\nx|99\n\xff|?\n|3\n")
    names = genre_names(RawFile(str(path), 1, None))
    assert names == (*GENRES[:2], "Abenteuer", *GENRES[3:])
    assert genre_names(None) == genre_names(RawFile(str(tmp_path / "gone"), 1, None)) == GENRES


def test_a_published_fold_is_the_test_file_beside_the_ratings(tmp_path: Path) -> None:
    folder = write(tmp_path / "ml-100k", U_FILES)
    published = ('split.strategy="published"', 'split.fold="u1"')
    assert find_fold(settings(folder, *published)).path == str(folder / "u1.test")
    with pytest.raises(ConfigurationError, match=r'published": u2\.test is not beside .*u\.data'):
        find_fold(settings(folder, published[0], 'split.fold="u2"'))
    with pytest.raises(ConfigurationError, match=r'split\.fold = "u6": must be one of u1, u2, u3, u4, u5, ua, ub'):
        find_fold(settings(folder, published[0], 'split.fold="u6"'))
    with pytest.raises(ConfigurationError, match=r"u1\.test is of MovieLens 100K, and .* holds MovieLens CSV"):
        find_fold(settings(write(tmp_path / "small", CSV_FILES), *published))
    with pytest.raises(ConfigurationError, match=r'u1\.test is of MovieLens 100K, and data\.source = "netflix"'):
        find_fold(settings(folder, *published, "data.source=netflix"))


def test_the_real_files(real_data: Path) -> None:
    folder = real_data / "ml-latest-small"
    assert found(folder) == ["ratings.csv", "links.csv", "movies.csv", "tags.csv"]
