"""Predictions as one text file: CSV, or the Netflix Prize's format."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, cast

import numpy as np
import pyarrow as pa
from fsspec.core import url_to_fs
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from nightreel.errors import ConfigurationError, NightreelError

_DECIMALS = 4


def write_prize_format(predictions: DataFrame, path: str, *, decimals: int = _DECIMALS) -> None:
    """Write one prediction a line in the order of position, after a line `<item_id>:` whenever the item changes.

    The file is written under a name ending in .part and renamed when complete, replacing an existing file. The driver
    holds the text of at most two Spark partitions.

    Parameters
    ----------
    predictions : grain pair; columns position bigint, item_id, prediction float
    path : a local path or any URL that fsspec writes; missing folders are created

    Raises
    ------
    NightreelError : the file cannot be written
    """
    rows = predictions.orderBy("position").select(F.col("item_id").cast("string"), _number(decimals))
    blocks = rows.mapInArrow(_prize_text, "first string, last string, text string")
    with _replacing(path) as file:
        before = None
        for block in blocks.toLocalIterator(prefetchPartitions=True):
            # A block starts with its first item's line, which is redundant if the block before ends with that item.
            text = block["text"]
            file.write((text.partition("\n")[2] if block["first"] == before else text).encode())
            before = block["last"]


def write_csv(predictions: DataFrame, path: str, *, uncertainty: bool = False, decimals: int = _DECIMALS) -> None:
    """Write user_id,item_id,prediction with a header, in the order of position, as `write_prize_format` writes.

    Parameters
    ----------
    predictions : grain pair; columns position bigint, user_id, item_id, prediction float, and uncertainty if wanted
    uncertainty : whether it is a fourth column
    """
    names = ["prediction", "uncertainty"][: 1 + uncertainty]
    numbers = [_number(decimals, name) for name in names]
    lines = predictions.orderBy("position").select(F.to_csv(F.struct("user_id", "item_id", *numbers)).alias("line"))
    with _replacing(path) as file:
        file.write(f"user_id,item_id,{','.join(names)}\n".encode())
        for block in lines.mapInArrow(_lines, "text string").toLocalIterator(prefetchPartitions=True):
            file.write(block["text"].encode())


def _number(decimals: int, name: str = "prediction") -> Column:
    return F.format_string(f"%.{decimals}f", name).alias(name)


def _prize_text(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        if not batch.num_rows:
            continue
        items = batch.column("item_id").to_numpy(zero_copy_only=False)
        numbers = batch.column("prediction").to_pylist()
        starts = np.flatnonzero(np.concatenate([[True], items[1:] != items[:-1]]))
        for start in starts:
            numbers[start] = f"{items[start]}:\n{numbers[start]}"
        yield pa.RecordBatch.from_pydict(
            {"first": [items[0]], "last": [items[-1]], "text": ["\n".join(numbers) + "\n"]},
            schema=pa.schema([("first", pa.string()), ("last", pa.string()), ("text", pa.string())]),
        )


def _lines(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        text = "".join(f"{line}\n" for line in batch.column(0).to_pylist())
        yield pa.RecordBatch.from_pydict({"text": [text]})


@contextmanager
def _replacing(path: str) -> Iterator[IO[bytes]]:
    """A file that gets its name only when complete; a failed write leaves nothing."""
    try:
        filesystem, place = url_to_fs(path)
    except (ValueError, ImportError) as error:
        raise ConfigurationError(f"{path}: {error}") from None
    part = f"{place}.part"
    try:
        filesystem.makedirs(filesystem._parent(place), exist_ok=True)
        with filesystem.open(part, "wb") as file:
            yield cast(IO[bytes], file)
        filesystem.mv(part, place)
    except OSError as error:
        raise NightreelError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        if filesystem.exists(part):
            filesystem.rm(part)
