"""Which files are KMRD, in any of its sizes, and what is said where they are not."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from nightreel.errors import ConfigurationError, DataError
from nightreel.settings import load
from nightreel.sources.datasets.kmrd import KMRD

RATES = "user,movie,rate,time\n0,10003,7,1494128040\n"
FILMS = {"castings.csv": "", "countries.csv": "", "genres.csv": "", "movies.txt": "", "peoples.txt": ""}


def write(folder: Path, files: dict[str, str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def pack(archive: Path, files: dict[str, str]) -> None:
    with zipfile.ZipFile(archive, "w") as made:
        for name, text in files.items():
            made.writestr(name, text)


def found(path: Path | str) -> list[str]:
    files = KMRD(load("local", ["data.source=kmrd", f"data.path={path}"])).find()
    return [file.path.removeprefix(f"{path}/") for file in (*files.ratings, *files.items)]


@pytest.mark.parametrize("rates", ["rates.csv", "rates-2m.csv", "rates-5m.csv"])
def test_every_size_has_its_rates_and_the_same_films(tmp_path: Path, rates: str) -> None:
    assert found(write(tmp_path / "kmrd", {rates: RATES, **FILMS})) == [rates, *FILMS]


def test_two_sizes_are_not_one_dataset(tmp_path: Path) -> None:
    folder = write(tmp_path / "kmrd", {"rates-2m.csv": RATES, "rates-5m.csv": RATES, **FILMS})
    with pytest.raises(
        ConfigurationError, match=r"must be one dataset of KMRD, found .*rates-2m\.csv, .*rates-5m\.csv"
    ):
        found(folder)
    assert found(folder / "rates-2m.csv")[0] == str(folder / "rates-2m.csv")


def test_films_packed_apart_are_found_beside_the_packed_rates(tmp_path: Path) -> None:
    pack(tmp_path / "rates-2m.zip", {"rates-2m.csv": RATES})
    pack(tmp_path / "rates-5m.zip", {"rates-5m.csv": RATES})
    pack(tmp_path / "meta.zip", FILMS)
    rates, *films = found(tmp_path / "rates-2m.zip")
    assert rates == f"zip://rates-2m.csv::{tmp_path}/rates-2m.zip"
    assert films == [f"zip://{name}::{tmp_path}/meta.zip" for name in FILMS]


def test_another_header_is_another_format(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"rates\.csv: begins 'a,b', where KMRD has user,movie,rate,time"):
        found(write(tmp_path, {"rates.csv": "a,b\n"}))


def test_the_real_files(real_data: Path) -> None:
    assert found(real_data / "kmrd-small") == ["rates.csv", *FILMS]
