"""The command `nightreel`: what it writes, what it says, and how it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from nightreel.cli import main


def test_writes_a_dump_and_says_what_is_in_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "a folder" / "dump"
    assert main(["sample", "--format", "netflix", "--ratings", "2_000", "--out", str(out), "--broken", "7"]) == 0
    said = capsys.readouterr()
    assert f"{out}: combined_data_1.txt, movie_titles.csv, probe.txt, qualifying.txt" in said.out
    assert "2,000 ratings by " in said.out
    assert "7 broken lines besides: rating outside the scale 2, impossible date 2, bad id 1" in said.out
    assert said.err.startswith("write 2,000 ratings ... ") and said.err.count("\n") == 1
    assert (out / "combined_data_1.txt").is_file()


def test_passes_every_flag_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = "--ratings 1k --users 90 --movies 40 --duplicates 4 --broken 0 --seed 9 --layout training_set --overwrite"
    for _ in range(2):
        assert main(["sample", "--out", str(tmp_path), *flags.split(), "--quiet"]) == 0
    assert len(list((tmp_path / "training_set").iterdir())) == 40
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "")


@pytest.mark.parametrize(("text", "ratings"), [("1500", 1_500), ("1_500", 1_500), ("1,500", 1_500), ("2k", 2_000)])
def test_reads_numbers_as_people_write_them(
    text: str, ratings: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sample", "--out", str(tmp_path), "--ratings", text]) == 0
    assert f"{ratings:,} ratings by" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ("sample", "the following arguments are required: --out (see nightreel sample --help)"),
        ("sampel --out x", "argument COMMAND: invalid choice: 'sampel' (choose from 'sample') (see nightreel --help)"),
        ("sample --out x --format lastfm", "argument --format: invalid choice: 'lastfm'"),
        ("sample --out x --format kmrd --layout training_set", "layout = training_set: kmrd has csv"),
        ("sample --out x --layout zip", "layout = zip: netflix has combined and training_set"),
        ("sample --out x --format metadata --users 9", "users = 9: metadata describes films, it has no users"),
        ("sample --out x --processes 0", "processes = 0: must be from 1 to 64"),
        ("sample --out x --format movielens --ratings 500 --users 600", "600 users and "),
        ("sample --out x --layout both", "argument --layout: invalid choice: 'both'"),
        ("sample --out x --ratings many", "'many' is not a whole number such as 200_000, 200k or 22M"),
        ("sample --out x --ratings 5", "ratings = 5: must be from 100 to 1,000,000,000"),
        ("sample --out x --seed -4", "argument --seed: '-4' is below 0"),
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


def test_a_dump_in_the_way_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "combined_data_3.txt").write_text("mine")
    assert main(["sample", "--out", str(tmp_path), "--ratings", "500"]) == 2
    expected = f"nightreel: {tmp_path}: holds combined_data_3.txt already; name another folder, or overwrite it"
    assert capsys.readouterr().err == f"{expected} (--overwrite)\n"
    assert (tmp_path / "combined_data_3.txt").read_text() == "mine"


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["sample", "--out", str(tmp_path / "file" / "dump"), "--ratings", "500"]) == 1
    said = capsys.readouterr().err
    assert said == f"nightreel: --out {tmp_path}/file/dump: Not a directory; nothing there was replaced\n"


def test_no_arguments_print_the_help_and_fail(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    said = capsys.readouterr()
    assert said.out == "" and "sample" in said.err and "usage: nightreel" in said.err


@pytest.mark.parametrize("command", [["--help"], ["sample", "--help"], ["--version"]])
def test_help_and_version_succeed(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(command)
    assert left.value.code == 0
    assert "nightreel" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "files", "said"),
    [
        ("--format movielens", "ratings.csv, movies.csv, links.csv, tags.csv", "2,000 ratings by "),
        ("--format movielens --layout zip", "ml-sample.zip", "2,000 ratings by "),
        (
            "--format kmrd",
            "rates.csv, movies.txt, genres.csv, castings.csv, countries.csv, peoples.txt",
            "90 of them a second rating of the same movie",
        ),
        (
            "--format metadata --movies 50",
            "movies_metadata.csv, keywords.csv, credits.csv",
            "descriptions of 50 movies",
        ),
    ],
)
def test_writes_every_format(
    flags: str, files: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sample", "--ratings", "2k", "--out", str(tmp_path), *flags.split()]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{tmp_path}: {files}\n") and said in out and "0 broken lines besides\n" in out
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(files.split(", "))
