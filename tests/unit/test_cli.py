"""The command `nightreel`: what it writes, what it says, and how it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from nightreel.cli import main


def test_writes_a_dump_and_says_what_is_in_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "a folder" / "dump"
    assert main(["sample", "--ratings", "20_000", "--broken", "7", "--out", str(out)]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    first, second, third = said.out.splitlines()
    assert first == f"{out}: combined_data_1.txt"
    assert second.startswith("20,000 ratings by ") and second.endswith(", 1 of them a second rating of the same movie")
    assert third.startswith("7 broken lines besides: rating outside the scale 2, impossible date 2, bad id 1")
    names = ["combined_data_1.txt", "movie_titles.csv", "probe.txt", "qualifying.txt"]
    assert sorted(path.name for path in out.iterdir()) == names


def test_passes_every_flag_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--format", "movielens", "--ratings", "1k", "--seed", "9", "--broken", "0", "--duplicates", "4"]
    for name in ("one", "two"):
        assert main(["sample", "--out", str(tmp_path / name), *flags]) == 0
    assert main(["sample", "--out", str(tmp_path / "other"), *flags, "--seed", "10"]) == 0
    assert capsys.readouterr().out.count("1,000 ratings by 20 users of 300 movies, 4 of them") == 3
    one, two, other = ((tmp_path / name / "ratings.csv").read_bytes() for name in ("one", "two", "other"))
    assert one == two != other
    assert main(["sample", "--out", str(tmp_path / "split"), "--ratings", "1k", "--layout", "training_set"]) == 0
    assert len(list((tmp_path / "split" / "training_set").iterdir())) == 50


@pytest.mark.parametrize(
    ("text", "ratings"), [("1500", 1_500), ("1_500", 1_500), ("1,500", 1_500), ("2k", 2_000), ("0_1M", 1_000_000)]
)
def test_reads_numbers_as_people_write_them(
    text: str, ratings: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def refuse(*_: object, ratings: int, **__: object) -> None:
        asked.append(ratings)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("nightreel.cli.generate", refuse)
    assert main(["sample", "--out", str(tmp_path), "--ratings", text]) == 1
    assert asked == [ratings]


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ("", "the following arguments are required: COMMAND (see nightreel --help)"),
        ("sample", "the following arguments are required: --out (see nightreel sample --help)"),
        ("sampel --out x", "argument COMMAND: invalid choice: 'sampel' (choose from"),
        ("sample --out x --format kmrd", "argument --format: invalid choice: 'kmrd'"),
        ("sample --out x --layout zip", "argument --layout: invalid choice: 'zip'"),
        ("sample --out x --format movielens --layout training_set", "movielens has no layouts, netflix has"),
        ("sample --out x --ratings many", "'many' is not a whole number such as 200_000, 200k or 22M"),
        ("sample --out x --ratings 5", "ratings = 5: must be from 100 to 1,000,000,000"),
        ("sample --out x --seed -4", "argument --seed: '-4' is below 0"),
        ("sample --out x --ratings 1k --broken 1001", "broken lines = 1,001: must be from 0 to 1,000"),
        ("sample --out x --ratings 1k --duplicates 51", "duplicates = 51: must be from 0 to 50"),
        ("sample --out x --seed 9223372036854775808", "must be from 0 to 9,223,372,036,854,775,807"),
        ("sample --out x --rating 500", "unrecognized arguments: --rating 500"),
    ],
)
def test_wrong_arguments_are_one_line_and_exit_code_2(
    wrong: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(wrong.split()) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("nightreel: ") and line in said.err and said.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_folder_that_holds_something_is_refused_and_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    assert main(["sample", "--out", str(tmp_path), "--ratings", "500"]) == 2
    said = capsys.readouterr().err
    assert said == f"nightreel: {tmp_path}: holds notes.txt already; empty it or name another folder\n"
    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["sample", "--out", str(tmp_path / "file" / "dump"), "--ratings", "500"]) == 1
    said = capsys.readouterr().err
    assert said == f"nightreel: --out {tmp_path}/file/dump: Not a directory; the dump is not complete\n"


@pytest.mark.parametrize("command", [["--help"], ["sample", "--help"], ["--version"]])
def test_help_and_version_succeed(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(command)
    assert left.value.code == 0
    assert "nightreel" in capsys.readouterr().out
