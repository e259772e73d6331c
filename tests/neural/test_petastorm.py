"""petastorm on today's pyarrow: what it misses and gets, that nobody else's modules change, and its mended pool."""

from __future__ import annotations

import importlib.util
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
from tests.neural.ranks import results_of

import nightreel
from nightreel.errors import ConfigurationError
from nightreel.neural.feed import petastorm
from nightreel.neural.feed.petastorm import (
    COMPLETED,
    IMPORTED,
    PETASTORM,
    ParquetDataset,
    ParquetDatasetPiece,
    _mend,
    install,
)


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


def imported_packages() -> set[str]:
    return {name.split(".")[0] for name in sys.modules}


def test_training_imports_neither_petastorm_nor_pyspark_before_it_reads():
    """As the ranks' processes have imported all of nightreel.neural.training."""
    (packages,) = results_of(imported_packages, world_size=1)
    assert "torch" in packages
    assert not {"petastorm", "pyspark"} & packages


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


ITEMS = ["first", "last"]


@pytest.fixture
def as_petastorm_has_it():
    """The pool's class as it is in the source, whatever was done to the imported one."""
    install()
    spec = importlib.util.find_spec("petastorm.workers_pool.thread_pool")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.ThreadPool


@pytest.fixture
def mended(as_petastorm_has_it):
    _mend(as_petastorm_has_it)
    return as_petastorm_has_it


class Worker:
    """Gives back what it is given."""

    def __init__(self, worker_id, publish, _):
        self.worker_id = worker_id
        self.publish_func = publish

    def process(self, item):
        self.publish_func(item)


class Ventilator:
    """Hands everything out when told to, where petastorm's does so in a thread, at any moment."""

    def __init__(self):
        self.pool = None
        self.done = False
        self.after_answering = False

    def hand_out(self):
        if not self.done:
            for item in ITEMS:
                self.pool.ventilate(item)
            self.done = True

    def completed(self):
        answer = self.done
        if self.after_answering:
            self.hand_out()
        return answer

    def start(self):
        pass

    def stop(self):
        pass

    def processed_item(self):
        pass


def results(pool, ventilator):
    from petastorm.workers_pool import EmptyResultError

    ventilator.pool = pool
    pool.start(Worker, ventilator=ventilator)
    found = []
    try:
        while True:
            found.append(pool.get_results())
    except EmptyResultError:
        return found
    finally:
        pool.stop()
        pool.join()


def asked_about_workers_first(thread_pool):
    """What a pool gives when the ventilator finishes just after "are all workers done?" was answered."""
    ventilator = Ventilator()

    class Pool(thread_pool):
        def all_workers_done(self):
            answer = super().all_workers_done()
            ventilator.hand_out()
            return answer

    return results(Pool(1), ventilator)


def asked_about_ventilator_first(thread_pool):
    """What a pool gives when the ventilator finishes just after "is all handed out?" was answered."""
    ventilator = Ventilator()
    ventilator.after_answering = True
    return results(thread_pool(1), ventilator)


def test_without_the_mend_everything_handed_out_between_the_questions_is_lost(as_petastorm_has_it):
    assert asked_about_workers_first(as_petastorm_has_it) == []


@pytest.mark.parametrize("moment", [asked_about_workers_first, asked_about_ventilator_first])
def test_with_the_mend_nothing_is_lost_at_either_moment(moment, mended):
    assert moment(mended) == ITEMS


def test_a_pool_without_ventilator_ends_as_before(mended):
    from petastorm.workers_pool import EmptyResultError

    pool = mended(1)
    pool.start(Worker)
    pool.ventilate("only")
    assert pool.get_results() == "only"
    with pytest.raises(EmptyResultError):
        pool.get_results()
    pool.stop()
    pool.join()


def test_the_pool_readers_use_is_mended():
    install()
    pool = import_module("petastorm.workers_pool.thread_pool").ThreadPool
    assert pool is import_module("petastorm.reader").ThreadPool
    assert asked_about_workers_first(pool) == ITEMS
