"""What a night loses when something breaks: processes killed, disks full, files of garbage, nights at the wrong time.

A first night publishes; each fault then strikes a second night on a copy of its tables. Afterwards every table can be
read and the first night's lists serve. What was broken is mended, the night is run again, and its lists are those of a
night that nothing struck. A row of the table is a fault; `said` is the last line on standard error.

    PYTHONPATH=lib .venv/bin/python bench/faults.py
    PYTHONPATH=lib .venv/bin/python bench/faults.py --kinds kill --steps recommend publish
    sudo ... bench/faults.py --kinds disk      # mounts a small tmpfs for each step
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from shutil import copytree
from typing import NamedTuple, Protocol

from nightreel import open_store
from nightreel.errors import NightreelError
from nightreel.sample import generate

HOME = Path(__file__).parents[1]
BEFORE = {
    "ingest": "start Spark",
    "prepare": "measure",
    "train": "prepare",
    "evaluate": "train ease",
    "decide": "evaluate",
    "recommend": "decide",
    "publish": "similar items",
}
"""By step, how the line begins that standard error has just before it."""
QUICK = (
    "--driver-memory 2g --driver-java-options '-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=512m' "
    "--conf spark.sql.shuffle.partitions=2"
)
"""As `make demo`: a small night is all start-up."""
FIRST, SECOND, THIRD = "2026-01-01", "2026-01-02", "2026-01-03"
DISK_BYTES = 64 << 20


class Struck(NamedTuple):
    """How a night ended that something struck."""

    code: int
    said: str


class Strike(Protocol):
    def __call__(self, folder: Path) -> Struck: ...


def start(folder: Path, date: str, *, spark: str = QUICK, more: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    words = ["./spark-submit.sh", "nightly", "--env", "local", "--run-date", date]
    for text in (
        f"data.path={folder / 'raw'}",
        f"tables.root={folder / 'tables'}",
        'nightly.models=["popular", "baseline", "als_implicit", "ease"]',
        "filter.min_ratings_per_user=5",
        "filter.min_ratings_per_item=5",
        *more,
    ):
        words += ["--set", text]
    return subprocess.Popen(
        words, cwd=HOME, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, start_new_session=True,
        env=os.environ | {"SPARK_ARGS": spark},
    )  # fmt: skip


def wait_for(night: subprocess.Popen[str], step: str, *, after: float) -> None:
    """Until the night has been at the step for some seconds, or is over."""
    assert night.stderr is not None
    for line in night.stderr:
        if line.startswith(BEFORE[step]):
            time.sleep(after)
            return


def end_of(night: subprocess.Popen[str]) -> Struck:
    _, err = night.communicate()
    lines = [line for line in (err or "").splitlines() if line.strip()]
    return Struck(night.returncode, lines[-1] if lines else "")


def killed(folder: Path, *, step: str, after: float) -> Struck:
    """SIGKILL for the driver and its JVM."""
    night = start(folder, SECOND)
    wait_for(night, step, after=after)
    if night.poll() is None:
        os.killpg(night.pid, signal.SIGKILL)
    return end_of(night)


def without_space(folder: Path, *, step: str, after: float) -> Struck:
    """All that is free on the tables' disk is taken at the beginning of the step."""
    night = start(folder, SECOND)
    wait_for(night, step, after=after)
    ballast = folder / "tables" / "ballast"
    with ballast.open("wb") as file:
        free = os.statvfs(folder / "tables")
        os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize)
    ended = end_of(night)
    ballast.unlink()
    return ended


def with_garbage(folder: Path, *, table: str, pattern: str, keep: float) -> Struck:
    """The newest file of that name has its end replaced; it is mended after the night."""
    found = max((folder / "tables").rglob(f"{table}/{pattern}"), key=lambda file: file.name)
    whole = found.read_bytes()
    kept = int(len(whole) * keep)
    found.write_bytes(whole[:kept] + b"\x00garbage" * (0 if keep else 50))
    ended = end_of(start(folder, SECOND))
    found.write_bytes(whole)
    return ended


def two_at_once(folder: Path) -> Struck:
    nights = [start(folder, SECOND), start(folder, SECOND)]
    ends = [end_of(night) for night in nights]
    assert 0 in [end.code for end in ends], ends
    return next((end for end in ends if end.code), ends[0])


def out_of_order(folder: Path) -> Struck:
    """A night of an earlier date after a later one; the later one goes on serving."""
    later = end_of(start(folder, THIRD))
    assert later.code == 0, later
    ended = end_of(start(folder, SECOND))
    store = open_store(str(folder / "tables"))
    assert store.serving is not None
    assert str(store.serving[1]) == THIRD, store.serving
    return ended


def executor_killed(folder: Path, *, more: tuple[str, ...]) -> Struck:
    """SIGKILL for one of two executors two seconds into the training; Spark starts another."""
    night = start(folder, SECOND, spark=f"--master local-cluster[2,1,1024] --executor-memory 1g {QUICK}", more=more)
    wait_for(night, "train", after=2.0)
    found = subprocess.run(["pgrep", "-f", "CoarseGrainedExecutorBackend"], capture_output=True, text=True, check=False)
    os.kill(int(found.stdout.split()[0]), signal.SIGKILL)
    return end_of(night)


def faults(arguments: argparse.Namespace) -> Iterator[tuple[str, Strike]]:
    """What strikes, by what the table calls it."""
    at = {"after": arguments.after}
    for step in arguments.steps:
        if "kill" in arguments.kinds:
            yield f"killed in {step}", partial(killed, step=step, **at)
    for step in arguments.steps:
        if "disk" in arguments.kinds:
            yield f"disk full in {step}", partial(without_space, step=step, **at)
    if "garbage" in arguments.kinds:
        for table in ("bronze_ratings", "gold_champion"):
            yield f"garbage in a file of {table}", partial(with_garbage, table=table, pattern="*.parquet", keep=0.0)
            yield (
                f"garbage in the log of {table}",
                partial(with_garbage, table=table, pattern="_delta_log/*.json", keep=0.0),
            )
        pattern = "_delta_log/*.checkpoint.parquet"
        yield "a log's checkpoint cut in half", partial(with_garbage, table="gold_metrics", pattern=pattern, keep=0.5)
    if "nights" in arguments.kinds:
        yield "two nights at once", two_at_once
        yield "an earlier date after a later one", out_of_order
    if "executor" in arguments.kinds:
        yield "an executor killed in ALS", partial(executor_killed, more=("models.als_implicit.blocks=4",))
        network = (
            'nightly.models=["popular", "baseline", "als_implicit", "ease", "mf_bias"]',
            "neural.local_mode=false",
        )
        yield "an executor killed in a network", partial(executor_killed, more=network)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = ["kill", "disk", "garbage", "nights", "executor"]
    parser.add_argument("--kinds", nargs="+", choices=kinds, default=kinds)
    parser.add_argument("--steps", nargs="+", choices=BEFORE, default=list(BEFORE))
    parser.add_argument("--after", type=float, default=0.5, help="seconds into the step")
    parser.add_argument("--ratings", type=int, default=10_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        base = Path(temporary) / "base"
        generate(base / "raw", format="netflix", ratings=arguments.ratings, seed=1, broken_lines=5, duplicates=0)
        first = end_of(start(base, FIRST))
        assert first.code == 0, first
        more = (base / "raw" / "combined_data_1.txt").read_text(encoding="latin-1")
        part = more[: len(more) // 4].rpartition("\n")[0].replace(",1,", ",2,")
        (base / "raw" / "combined_data_2.txt").write_text(part, encoding="latin-1")
        copytree(base, Path(temporary) / "reference")
        second = end_of(start(Path(temporary) / "reference", SECOND))
        expected = lists_of(Path(temporary) / "reference")
        print(f"a second night that nothing strikes: exit {second.code}, {expected[0]}, {expected[1]} rows")
        print("| fault | exit, said | tables read | served meanwhile | left, KB | run again | lists as expected |")
        print("|---|---|---|---|---|---|---|")
        for name, strike in faults(arguments):
            with copied(base, Path(temporary) / "struck", disk=name.startswith("disk")) as folder:
                print(f"| {name} | {' | '.join(map(str, outcome(folder, strike, expected)))} |", flush=True)


def outcome(folder: Path, strike: Strike, expected: tuple[str, int]) -> tuple[object, ...]:
    before = size_of(folder / "tables")
    struck = strike(folder)
    store = open_store(str(folder / "tables"))
    try:
        tables: object = len(store.tables())
    except NightreelError as error:
        tables = str(error)
    served = store.serving and store.serving[1]
    left = (size_of(folder / "tables") - before) // 1024
    again = end_of(start(folder, SECOND))
    said = struck.said.replace(str(folder), "").replace("|", "/")
    code = f"exit {again.code}" if again.code == 0 else f"exit {again.code}, {again.said}"
    return f"{struck.code}, {said[:200]}", tables, served, left, code, lists_of(folder) == expected


@contextmanager
def copied(base: Path, folder: Path, *, disk: bool) -> Iterator[Path]:
    """A copy of the first night's folder, removed afterwards; on a disk of its own."""
    folder.mkdir()
    if disk:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)], check=True)
    try:
        copytree(base, folder, dirs_exist_ok=True)
        yield folder
    finally:
        if disk:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
        subprocess.run(["rm", "-rf", str(folder)], check=True)


def size_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def lists_of(folder: Path) -> tuple[str, int]:
    """Who serves, and how many rows its lists have."""
    store = open_store(str(folder / "tables"))
    assert store.serving is not None
    run_id, run_date = store.serving
    where = f"run_id = '{run_id}' AND run_date = DATE '{run_date}'"
    return f"{run_id} of {run_date}", store.snapshot.rows("gold_recommendations", where=where).num_rows


if __name__ == "__main__":
    main()
