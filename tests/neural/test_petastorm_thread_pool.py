"""The row petastorm's thread pool loses when its last item is handed out between two questions, and the mend."""

from __future__ import annotations

import importlib.util
from importlib import import_module

import pytest

from nightreel.neural.feed.petastorm import _mend, install

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
