"""petastorm on today's pyarrow: what it misses, what it gets, and that nobody else's modules change."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from importlib import import_module
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.neural.feed_snapshots import write_snapshot

import nightreel
from nightreel.errors import ConfigurationError
from nightreel.neural.feed import petastorm
from nightreel.neural.feed.petastorm import COMPLETED, IMPORTED, PETASTORM, ParquetDataset, ParquetDatasetPiece, install


def python(code: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(nightreel.__file__).parents[1])}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment)


def test_without_it_petastorm_cannot_even_be_imported():
    ended = python("import petastorm.reader")
    assert ended.returncode != 0
    assert "ModuleNotFoundError: No module named 'pyarrow." in ended.stderr


@pytest.mark.parametrize("module", IMPORTED)
def test_the_modules_it_imports_are_gone_and_stay_gone(module):
    install()
    with pytest.raises(ModuleNotFoundError):
        import_module(module)


def test_the_names_it_gets_are_missing_and_stay_missing():
    install()
    for owner, name in ((pa, "localfs"), (pq, "ParquetDatasetPiece"), (np, "unicode_"), (np, "string_")):
        assert not hasattr(owner, name), f"{owner.__name__} has {name} again: petastorm.py need not add it"
    with pytest.raises(TypeError):
        pq.ParquetDataset([], filesystem=None, validate_schema=False)


@pytest.mark.parametrize("installs", [1, 2])
def test_petastorm_has_them_however_often_it_is_installed(installs):
    for _ in range(installs):
        install()
    for module, name, completed in COMPLETED:
        assert getattr(import_module(module), name) is completed
    assert import_module("petastorm.reader").pq.ParquetDataset is ParquetDataset
    assert import_module("petastorm.reader").pq.ParquetDatasetPiece is ParquetDatasetPiece
    assert import_module("petastorm.arrow_reader_worker").pq.ParquetFile is pq.ParquetFile


def test_installing_again_mends_nothing_twice():
    install()
    pool = import_module("petastorm.workers_pool.thread_pool").ThreadPool
    mended = pool.all_workers_done
    install()
    assert pool.all_workers_done is mended


def test_importing_the_feed_imports_neither_petastorm_nor_pyspark():
    ended = python(
        "import sys, nightreel.neural.feed as feed\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('petastorm', 'pyspark')])\n"
        "from nightreel.neural.feed.petastorm import install; install()\n"
        "print('petastorm.reader' in sys.modules, 'pyspark' in sys.modules)\n"
    )
    assert ended.stdout.splitlines() == ["[]", "True False"], ended.stderr


@pytest.mark.parametrize("found", ["0.13.0", "0.14.0"])
def test_another_petastorm_is_refused_in_one_line(found, monkeypatch):
    monkeypatch.setattr(petastorm, "version", lambda _: found)
    with pytest.raises(ConfigurationError, match=rf"^petastorm {found}: .* pip install petastorm=={PETASTORM}$"):
        install()


def test_a_missing_petastorm_is_named(monkeypatch):
    def version(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(petastorm, "version", version)
    with pytest.raises(ConfigurationError, match=r"^petastorm: not installed; pip install 'nightreel\[neural\]'$"):
        install()


@pytest.mark.parametrize(("module", "name", "completed"), COMPLETED)
def test_a_petastorm_that_does_not_use_what_it_gets_is_refused(module, name, completed, monkeypatch):
    install()
    monkeypatch.delattr(import_module("petastorm.reader"), petastorm._INSTALLED)
    for other, its_name, its_completed in COMPLETED:
        monkeypatch.setattr(import_module(other), its_name, its_completed._module)
    monkeypatch.setattr(import_module(module), name, "another thing")
    with pytest.raises(ConfigurationError, match=rf"^{module}\.{name}: is 'another thing' where .* has the module "):
        install()


def test_the_mended_questions_are_still_asked_in_the_order_that_is_mended():
    source = inspect.getsource(import_module("petastorm.workers_pool.thread_pool").ThreadPool.get_results)
    assert 0 < source.index("if self.all_workers_done():") < source.index("self._ventilator.completed()")
    assert source.count("self.all_workers_done()") == 1


def read(urls, **options):
    install()
    from petastorm.reader import make_batch_reader

    reader = make_batch_reader(urls, workers_count=1, shuffle_row_groups=False, **options)
    try:
        return list(reader)
    finally:
        reader.stop()
        reader.join()


def test_petastorm_reads_files_with_columns_of_text(tmp_path):
    files = write_snapshot(tmp_path, [[3, 2], [4]])
    parts = read([f"file://{file}" for file in files], schema_fields=["^user_idx$", "^title$"])
    assert [part.user_idx.tolist() for part in parts] == [[0, 1, 2], [3, 4], [5, 6, 7, 8]]
    assert parts[1].title.tolist() == ["film 3", "film 4"]


def test_filters_are_refused_rather_than_forgotten(tmp_path):
    files = write_snapshot(tmp_path, [[3]])
    with pytest.raises(NotImplementedError, match=r"^filters: not supported here"):
        read([f"file://{file}" for file in files], filters=[("user_idx", ">", 1)])


def test_petastorms_own_loaders_work(tmp_path):
    install()
    from petastorm.pytorch import BatchedDataLoader
    from petastorm.reader import make_batch_reader

    urls = [f"file://{file}" for file in write_snapshot(tmp_path, [[3, 2]])]
    with BatchedDataLoader(make_batch_reader(urls, schema_fields=["^user_idx$"], workers_count=1), 4) as loader:
        assert sorted(number for batch in loader for number in batch["user_idx"].tolist()) == [0, 1, 2, 3, 4]
