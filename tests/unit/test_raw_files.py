"""Files in folders of folders and in zip archives, wherever fsspec finds them."""

from __future__ import annotations

import os
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import fsspec
import pytest

from nightreel.errors import ConfigurationError, DataError
from nightreel.sources.files import EVERY_FOLDER, PARTITIONS, RawFile, find, open_bytes

MEMBERS = {"ml/ratings.csv": b"a,b\n", "ml/deep/ratings.csv": b"c\n", "ml/README": b"", "__MACOSX/ml/ratings.csv": b"x"}


def is_ratings(name: str) -> bool:
    return name == "ratings.csv"


def paths(path: str | Path, *below: str) -> list[str]:
    found = find(str(path), setting="data.path", in_folder=is_ratings, in_glob=is_ratings, below=below or ("",))
    return [file.path for file in found]


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "ml 25m.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        made.mkdir("ml")
        for name, data in MEMBERS.items():
            made.writestr(name, data)
    return path


def test_an_archive_is_a_folder_that_is_looked_through(archive: Path) -> None:
    inside = [f"zip://ml/deep/ratings.csv::{archive}", f"zip://ml/ratings.csv::{archive}"]
    assert paths(archive) == inside
    assert paths(archive.parent) == inside
    assert paths(f"{archive.parent}/*.zip") == inside
    assert paths(f"zip://::{archive}") == paths(f"zip://ml::{archive}") == paths(f"zip://ml/::{archive}") == inside
    assert paths(f"zip://ml/deep::{archive}") == inside[:1]


def test_a_file_in_an_archive_counts_by_itself_whatever_its_name(archive: Path) -> None:
    assert paths(f"zip://ml/README::{archive}") == [f"zip://ml/README::{archive}"]


def test_a_file_in_an_archive_has_its_unpacked_size_and_the_archives_time(archive: Path) -> None:
    (file,) = find(f"zip://ml/ratings.csv::{archive}", setting="data.path", in_folder=is_ratings, in_glob=is_ratings)
    assert (file.size, file.modified_at) == (4, datetime.fromtimestamp(archive.stat().st_mtime, UTC))
    assert (file.name, file.folder) == ("ratings.csv", f"zip://ml::{archive}")
    with open_bytes(file.path) as stream:
        assert stream.read() == b"a,b\n"
        stream.seek(2)
        assert stream.read(1) == b"b"


def test_archives_count_only_where_nothing_beside_them_does(archive: Path) -> None:
    (archive.parent / "ratings.csv").write_text("a,b\n")
    assert paths(archive.parent) == [str(archive.parent / "ratings.csv")]


def test_every_folder_in_a_folder_can_be_looked_into(tmp_path: Path) -> None:
    for name in ("one", "two", "two/deeper"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "ratings.csv").write_text("")
    assert paths(tmp_path, "", EVERY_FOLDER) == [str(tmp_path / name / "ratings.csv") for name in ("one", "two")]


def test_archives_in_object_stores(archive: Path) -> None:
    store = fsspec.filesystem("memory")
    store.pipe("/bucket/ml.zip", archive.read_bytes())
    (path, _) = paths("memory://bucket/ml.zip")
    assert path == "zip://ml/deep/ratings.csv::memory:///bucket/ml.zip"
    assert open_bytes(path).read() == b"c\n"
    store.rm("/bucket", recursive=True)


def test_what_is_no_archive_or_not_in_it_is_named(archive: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"data\.path: zip://mx::.*no such file or folder"):
        paths(f"zip://mx::{archive}")
    with pytest.raises(ConfigurationError, match=r"data\.path: /nowhere\.zip: no such file or folder"):
        paths("zip://mx::/nowhere.zip")
    archive.write_bytes(archive.read_bytes()[:50])
    with pytest.raises(DataError, match=r"ml 25m\.zip: cannot be read as a zip archive"):
        paths(archive)


def test_a_file_that_is_damaged_inside_its_archive_is_an_os_error(tmp_path: Path) -> None:
    archive = tmp_path / "stored.zip"
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("ratings.csv", b"a,b\n")
    archive.write_bytes(archive.read_bytes().replace(b"a,b\n", b"a,c\n"))
    with open_bytes(f"zip://ratings.csv::{archive}") as stream, pytest.raises(OSError, match="Bad CRC-32"):
        stream.read()
    with pytest.raises(OSError, match=r"no item named 'links\.csv'"):
        open_bytes(f"zip://links.csv::{archive}")


def test_encrypted_archives_are_refused(archive: Path) -> None:
    data = bytearray(archive.read_bytes())
    for at in (index for index in range(len(data)) if data[index : index + 4] == b"PK\x01\x02"):
        data[at + 8] |= 1
    archive.write_bytes(data)
    with pytest.raises(DataError, match=r"ml/ratings\.csv is encrypted"):
        paths(archive)


def test_files_outside_archives_know_their_name_and_folder() -> None:
    assert (RawFile("/a/b.csv", 1, None).name, RawFile("/a/b.csv", 1, None).folder) == ("b.csv", "/a")
    assert RawFile("/b.csv", 1, None).folder == "/"
    assert RawFile("s3://bucket/b.csv", 1, None).folder == "s3://bucket"


def test_symbolic_links_are_followed(tmp_path: Path) -> None:
    target = tmp_path / "elsewhere" / "ratings.txt"
    target.parent.mkdir()
    target.write_text("a,b\n")
    os.utime(target, (1_600_000_000, 1_600_000_000))
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "ratings.csv").symlink_to(target)
    (folder / "notes.txt").symlink_to(tmp_path / "nowhere")
    (folder / "year=1").symlink_to(target.parent)
    (target.parent / "ratings.csv").write_text("")
    link = str(folder / "ratings.csv")
    for path in (folder, link, f"{folder}/*.csv"):
        (file,) = find(str(path), setting="data.path", in_folder=is_ratings, in_glob=is_ratings)
        assert file == RawFile(link, 4, datetime.fromtimestamp(1_600_000_000, UTC))
    assert paths(folder, "", PARTITIONS) == [link, str(folder / "year=1" / "ratings.csv")]
    assert paths(folder, EVERY_FOLDER) == [str(folder / "year=1" / "ratings.csv")]


@pytest.mark.parametrize("target", ["nowhere", "ratings.csv"])
def test_links_that_lead_nowhere_or_around_are_refused_by_name(tmp_path: Path, target: str) -> None:
    (tmp_path / "ratings.csv").symlink_to(tmp_path / target)
    for path in (tmp_path, f"{tmp_path}/*.csv"):
        with pytest.raises(DataError, match=r"ratings\.csv: a symbolic link that leads to no file: (No such|Too many)"):
            paths(path)
    with pytest.raises(ConfigurationError, match=r"data\.path: .*ratings\.csv: no such file or folder"):
        paths(tmp_path / "ratings.csv")


@pytest.mark.parametrize("name", [b"a\xff.csv", b"a::b.csv", b"a\nb.csv", b"a\x1b.csv"])
def test_names_that_no_table_can_keep_are_refused_by_name(tmp_path: Path, name: bytes) -> None:
    def is_csv(name: str) -> bool:
        return name.endswith(".csv")

    (tmp_path / os.fsdecode(name)).write_bytes(b"a,b\n")
    with pytest.raises(DataError, match=r"^'/.*a.*\.csv': must be renamed: a path with ::, control signs or bytes"):
        find(str(tmp_path), setting="data.path", in_folder=is_csv, in_glob=is_csv)
    assert paths(tmp_path) == []
