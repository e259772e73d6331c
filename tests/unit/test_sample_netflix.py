"""Generated dumps in the Netflix format: exactly what was asked for, the same for the same seed."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from nightreel.errors import ConfigurationError
from nightreel.sample import Dump, generate

RATINGS, BROKEN, DUPLICATES = 20_000, 23, 9


@dataclass(frozen=True)
class Read:
    """A dump as the plainest reader sees it."""

    rows: list[tuple[int, int, int, date]]
    broken: list[bytes]
    headers: list[int]


def read(dump: Dump) -> Read:
    rows, broken, headers = [], [], []
    for file in dump.files:
        for line in file.read_bytes().split(b"\n")[:-1]:
            if line.endswith(b":") and line[:-1].isdigit():
                headers.append(int(line[:-1]))
                continue
            row = good_row(line)
            if row is None:
                broken.append(line)
            else:
                rows.append((headers[-1], *row))
    return Read(rows, broken, headers)


def good_row(line: bytes) -> tuple[int, int, date] | None:
    try:
        user, stars, day = line.decode("ascii").split(",")
        row = int(user), int(stars), date.fromisoformat(day)
    except ValueError:
        return None
    return row if 1 <= row[0] < 2**63 and 1 <= row[1] <= 5 and len(day) == 10 else None


def read_titles(dump: Dump) -> list[tuple[int, str, str]]:
    lines = (dump.folder / "movie_titles.csv").read_bytes().decode("latin-1").splitlines()
    return [(int(movie), year, title) for movie, year, title in (line.split(",", 2) for line in lines)]


def read_pairs(file: Path) -> list[tuple[int, str]]:
    pairs, movie = [], 0
    for line in file.read_text().splitlines():
        if line.endswith(":"):
            movie = int(line[:-1])
        else:
            pairs.append((movie, line))
    return pairs


def digest(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def generated(out: Path, *, seed: int = 3) -> Dump:
    return generate(out, ratings=RATINGS, seed=seed, broken_lines=BROKEN, duplicates=DUPLICATES)


@pytest.fixture(scope="module")
def dump(tmp_path_factory: pytest.TempPathFactory) -> Dump:
    return generated(tmp_path_factory.mktemp("dump"))


@pytest.fixture(scope="module")
def seen(dump: Dump) -> Read:
    return read(dump)


def test_holds_exactly_the_good_lines_asked_for(dump: Dump, seen: Read) -> None:
    assert len(seen.rows) == dump.ratings == RATINGS
    assert seen.headers == list(range(1, dump.movies + 1))
    assert {row[0] for row in seen.rows} == set(seen.headers)
    assert len({row[1] for row in seen.rows}) == dump.users


def test_holds_exactly_the_broken_lines_asked_for_of_every_kind(dump: Dump, seen: Read) -> None:
    assert len(seen.broken) == dump.broken_lines == BROKEN
    assert sorted(dump.broken.values()) == [4, 4, 5, 5, 5]
    fields = Counter(
        "binary" if max(line) > 127 else "truncated" if len(line.split(b",")[-1]) < 10 else "whole"
        for line in seen.broken
    )
    assert fields == {"binary": dump.broken["binary"], "truncated": dump.broken["truncated"], "whole": 15}


def test_repeats_exactly_the_pairs_asked_for_with_the_later_rating_first(seen: Read) -> None:
    by_pair: dict[tuple[int, int], list[tuple[int, date]]] = {}
    for movie, user, stars, day in seen.rows:
        by_pair.setdefault((movie, user), []).append((stars, day))
    repeated = [ratings for ratings in by_pair.values() if len(ratings) > 1]
    assert len(repeated) == DUPLICATES
    assert all(len(ratings) == 2 for ratings in repeated)
    assert all(first[1] > second[1] and first[0] != second[0] for first, second in repeated)


def test_rates_nothing_before_its_year_or_outside_the_six_years(dump: Dump, seen: Read) -> None:
    years = {movie: int(year) for movie, year, _ in read_titles(dump) if year != "NULL"}
    assert all(day.year >= years.get(movie, 0) for movie, _, _, day in seen.rows)
    assert min(day for *_, day in seen.rows) >= date(1999, 11, 11)
    assert max(day for *_, day in seen.rows) <= date(2005, 12, 31)


def test_writes_more_ratings_in_later_years(seen: Read) -> None:
    by_year = Counter(day.year for *_, day in seen.rows)
    assert all(by_year[year] < by_year[year + 1] for year in range(2000, 2005))


def test_titles_are_latin_1_with_commas_accents_and_an_unknown_year(dump: Dump) -> None:
    titles = read_titles(dump)
    assert [movie for movie, _, _ in titles] == list(range(1, dump.movies + 1))
    assert len({title for *_, title in titles}) == dump.movies
    assert [year for _, year, _ in titles].count("NULL") == 1
    assert any("," in title for *_, title in titles)
    assert any(not title.isascii() for *_, title in titles)


def test_probe_names_rated_pairs_and_qualifying_unrated_ones(dump: Dump, seen: Read) -> None:
    rated = {(movie, user) for movie, user, _, _ in seen.rows}
    probe = [(movie, int(user)) for movie, user in read_pairs(dump.folder / "probe.txt")]
    asked = [(movie, line.split(",")) for movie, line in read_pairs(dump.folder / "qualifying.txt")]
    assert len(probe) == len(set(probe))
    assert set(probe) <= rated
    assert not {(movie, int(user)) for movie, (user, _) in asked} & rated
    assert all(date.fromisoformat(day) >= date(2004, 12, 31) for _, (_, day) in asked)
    assert 0.007 < len(probe) / RATINGS < 0.02
    assert 0.007 < len(asked) / RATINGS < 0.02


def test_popularity_and_activity_have_long_tails(seen: Read) -> None:
    for column in (0, 1):
        counts = sorted(Counter(row[column] for row in seen.rows).values())
        middle, busiest = counts[len(counts) // 2], counts[-len(counts) // 20]
        assert busiest > 2.5 * middle


def test_same_seed_same_bytes_other_seed_other_bytes(dump: Dump, tmp_path: Path) -> None:
    assert digest(generated(tmp_path / "again").folder) == digest(dump.folder)
    other = digest(generated(tmp_path / "other", seed=4).folder)
    assert not set(other.values()) & set(digest(dump.folder).values())


def test_one_file_a_movie_holds_the_same_lines(dump: Dump, tmp_path: Path) -> None:
    split = generate(
        tmp_path, ratings=RATINGS, seed=3, broken_lines=BROKEN, duplicates=DUPLICATES, layout="training_set"
    )
    assert split.files[0] == tmp_path / "training_set" / "mv_0000001.txt"
    assert len(split.files) == dump.movies
    assert b"".join(file.read_bytes() for file in split.files) == dump.files[0].read_bytes()
    assert (split.folder / "probe.txt").read_bytes() == (dump.folder / "probe.txt").read_bytes()


def test_large_dumps_come_in_several_files_of_whole_movies(
    dump: Dump, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nightreel.sample.formats.netflix.RATINGS_PER_FILE", 6_000)
    several = generated(tmp_path)
    assert [file.name for file in several.files] == [f"combined_data_{number}.txt" for number in range(1, 5)]
    assert b"".join(file.read_bytes() for file in several.files) == dump.files[0].read_bytes()
    for file in several.files:
        assert file.read_bytes()[:6].split(b"\n")[0].endswith(b":")
        assert abs(file.stat().st_size / (dump.files[0].stat().st_size / 4) - 1) < 0.3


@pytest.mark.parametrize(("ratings", "users", "movies"), [(100, 10, 17), (2_000, 50, 67), (6_000, 100, 100)])
def test_small_and_crowded_dumps_are_exact_too(ratings: int, users: int, movies: int, tmp_path: Path) -> None:
    dump = generate(tmp_path, ratings=ratings, users=users, movies=movies)
    rows = read(dump).rows
    assert len(rows) == len({row[:2] for row in rows}) == ratings
    assert dump.movies == movies
    assert dump.users <= users
    assert not dump.broken and not dump.duplicates


def test_names_its_files(dump: Dump) -> None:
    assert [file.name for file in dump.files] == ["combined_data_1.txt"]
    assert [file.name for file in dump.files_beside] == ["movie_titles.csv", "probe.txt", "qualifying.txt"]
    assert all(file.is_file() for file in (*dump.files, *dump.files_beside))


def test_leaves_a_dump_alone_unless_told(tmp_path: Path) -> None:
    generate(tmp_path, ratings=500, seed=1)
    before = digest(tmp_path)
    with pytest.raises(ConfigurationError, match=r"holds combined_data_1\.txt already"):
        generate(tmp_path, ratings=500, seed=2)
    assert digest(tmp_path) == before


def test_overwriting_leaves_nothing_of_the_old_dump_and_all_other_files(tmp_path: Path) -> None:
    generate(tmp_path, ratings=500, layout="training_set")
    (tmp_path / "notes.txt").write_text("mine")
    generate(tmp_path, ratings=500, overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "combined_data_1.txt",
        "movie_titles.csv",
        "notes.txt",
        "probe.txt",
        "qualifying.txt",
    ]


def test_a_failure_half_way_leaves_the_old_dump_and_no_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generate(tmp_path, ratings=500)
    before = digest(tmp_path)
    monkeypatch.setattr("nightreel.sample.formats.netflix.write_titles", _disk_full)
    with pytest.raises(OSError, match="No space left"):
        generate(tmp_path, ratings=600, overwrite=True)
    assert digest(tmp_path) == before


def _disk_full(*_: object) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ({"ratings": 99}, "ratings = 99: must be from 100 to 1,000,000,000"),
        ({"ratings": 1_000, "users": 9}, "users = 9: must be from 10 to 1,000,000"),
        ({"ratings": 1_000, "movies": 5}, "movies = 5: must be from 6 to 20,280"),
        (
            {"ratings": 1_000, "users": 20, "movies": 50},
            "ratings = 1,000: 20 users and 50 movies have 50 to 600 ratings",
        ),
        ({"ratings": 1_000, "broken_lines": -1}, "broken lines = -1: must be from 0 to 100,000"),
        ({"ratings": 1_000, "duplicates": 1_000}, "duplicates = 1,000: must be from 0 to 44, at most one a movie"),
    ],
)
def test_numbers_out_of_range_are_one_line_and_write_nothing(wrong: dict[str, int], line: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as error:
        generate(tmp_path / "out", **wrong)
    assert str(error.value) == line
    assert not (tmp_path / "out").exists()
