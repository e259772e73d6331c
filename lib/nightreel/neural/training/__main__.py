"""Train a network on Parquet files, without Spark: alone, or on every process that torchrun starts.

python -m nightreel.neural.training --spec run/spec.json
python -m nightreel.neural.training --network ncf --train DIR --validation DIR --out DIR --set training.epochs=5
python -m torch.distributed.run --nproc-per-node 2 -m nightreel.neural.training --spec run/spec.json
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from torch.distributed.elastic.multiprocessing.errors import record

from nightreel.arguments import Parser
from nightreel.errors import DONE, INTERRUPTED, ConfigurationError, DataError, NightreelError
from nightreel.neural.feed import every_row
from nightreel.neural.spec import PARAMS, Domain, TrainingSpec, hyperparameters, read_spec
from nightreel.neural.training.train import train


def parquet_files(folder: Path) -> tuple[str, ...]:
    """All below a folder, by path, without hidden ones such as Delta's log; raises DataError if there are none."""
    found = sorted(
        str(file.resolve())
        for file in folder.rglob("*.parquet")
        if not any(part.startswith((".", "_")) for part in file.relative_to(folder).parts)
    )
    if not found:
        raise DataError(f"{folder}: no .parquet files in it")
    return tuple(found)


def domain_of(train: Sequence[str], others: Sequence[str]) -> Domain:
    """Users and items up to the largest index in any file; scale and mean of the ratings to train on.

    Raises
    ------
    DataError : a file cannot be read, lacks a column or holds null; there are no rows
    """
    users = items = rows = 0
    total, lowest, highest = 0.0, float("inf"), float("-inf")
    for batch in every_row(train):
        rows, total = rows + len(batch), total + float(batch.ratings.sum(dtype=torch.float64))
        lowest, highest = min(lowest, float(batch.ratings.min())), max(highest, float(batch.ratings.max()))
    for batch in every_row([*train, *others]):
        users, items = max(users, int(batch.users.max()) + 1), max(items, int(batch.items.max()) + 1)
    return Domain(users=users, items=items, lowest=lowest, highest=highest, mean=total / rows)


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit code; a NightreelError is one line on standard error."""
    try:
        outcome = train(_spec(_parser().parse_args(argv)))
    except NightreelError as error:
        print(f"training: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("training: interrupted; --resume goes on after the last whole epoch", file=sys.stderr)
        return INTERRUPTED
    if os.environ.get("RANK", "0") == "0":
        loss = "" if outcome.validation_loss is None else f", validation loss {outcome.validation_loss:.4f}"
        print(
            f"{outcome.network}: {outcome.rows:,} rows, {len(outcome.history)} epochs on {outcome.device}, "
            f"the best was {outcome.best_epoch}{loss}; kept in {outcome.folder}"
        )
    return DONE


def _spec(flags: argparse.Namespace) -> TrainingSpec:
    if flags.spec is not None:
        if flags.network or flags.train or flags.out or flags.set:
            raise ConfigurationError("--spec: holds everything; --network, --train, --out and --set do not go with it")
        spec = read_spec(flags.spec)
        return spec.model_copy(update={"resume": True}) if flags.resume else spec
    if not (flags.network and flags.train and flags.out):
        raise ConfigurationError("either --spec, or --network, --train and --out (see --help)")
    chosen = hyperparameters(flags.network, flags.set)
    train_files = parquet_files(flags.train)
    validation = parquet_files(flags.validation) if flags.validation else ()
    return TrainingSpec(
        network=flags.network,
        params=chosen.network.model_dump(mode="json"),
        domain=domain_of(train_files, validation),
        recipe=chosen.training,
        train=train_files,
        validation=validation,
        item_text=parquet_files(flags.item_text) if flags.item_text else (),
        feed=flags.feed,
        device=flags.device,
        precision=flags.precision,
        seed=flags.seed,
        folder=str(flags.out.resolve()),
        resume=flags.resume,
    )


def _parser() -> Parser:
    parser = Parser(prog="python -m nightreel.neural.training", description=__doc__)
    add = parser.add_argument
    add("--spec", type=Path, metavar="FILE", help="a specification as JSON, instead of the flags below but --resume")
    add("--network", choices=list(PARAMS))
    add("--train", type=Path, metavar="DIR", help="Parquet files with user_idx int32, item_idx int32, rating float32")
    add("--validation", type=Path, metavar="DIR", help="likewise; without it all epochs are trained")
    add("--item-text", type=Path, metavar="DIR", help="Parquet files with item_idx, terms, weights; for hybrid")
    add("--out", type=Path, metavar="DIR", help="of the run: checkpoints and the trained network")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="training.epochs=5, network.dropout=0.1, ...")
    add("--feed", choices=["auto", "stream", "resident"], default="auto")
    add("--device", choices=["auto", "cpu", "cuda"], default="auto")
    add("--precision", choices=["fp32", "bf16"], default="fp32")
    add("--seed", type=int, default=1)
    add("--resume", action="store_true", help="go on from the last checkpoint in the run's folder, if there is one")
    return parser


if __name__ == "__main__":
    # What is not a NightreelError goes through with its traceback, also to torchrun's account of what failed.
    sys.exit(record(main)())
