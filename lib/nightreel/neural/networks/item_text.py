"""The items' TF-IDF text as one list of terms and weights, cut by offsets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from nightreel.errors import DataError
from nightreel.neural.spec import locate


class ItemText(NamedTuple):
    """Item i has terms[offsets[i] : offsets[i + 1]] and their weights; an item without text has an empty range.

    offsets : (items + 1,) int64
    terms : (entries,) int64, 0 .. vocabulary - 1
    weights : (entries,) float32
    vocabulary : number of terms
    """

    offsets: Tensor
    terms: Tensor
    weights: Tensor
    vocabulary: int

    @classmethod
    def of_table(cls, rows: pa.Table, *, items: int) -> Self:
        """From columns item_idx int, terms list<int>, weights list<float>, in any order; items without a row have none.

        Raises
        ------
        DataError : an item_idx outside 0 .. items - 1 or twice, a negative term, or not as many weights as terms
        """
        item = _numbers(rows.column("item_idx"), np.int64)
        terms, weights = (rows.column(name).combine_chunks() for name in ("terms", "weights"))
        lengths, of_weights = (_numbers(lists.value_lengths().fill_null(0), np.int64) for lists in (terms, weights))
        _check(item, lengths, of_weights, items=items)
        order = np.argsort(item, kind="stable")
        counts = np.zeros(items, np.int64)
        counts[item] = lengths
        sorted_terms = _numbers(terms.take(pa.array(order)).flatten(), np.int64)
        if len(sorted_terms) and sorted_terms.min() < 0:
            raise DataError(f"item text: term {sorted_terms.min()} is below 0")
        return cls(
            offsets=torch.from_numpy(np.concatenate([np.zeros(1, np.int64), counts.cumsum()])),
            terms=torch.from_numpy(sorted_terms),
            weights=torch.from_numpy(_numbers(weights.take(pa.array(order)).flatten(), np.float32)),
            vocabulary=int(sorted_terms.max()) + 1 if len(sorted_terms) else 1,
        )

    def entries_of(self, items: Tensor) -> tuple[Tensor, Tensor]:
        """Places of the items' entries, item after item, and where each item's begin: (entries,), (n,) int64."""
        starts, ends = self.offsets[items], self.offsets[items + 1]
        lengths = ends - starts
        begins = lengths.cumsum(0) - lengths
        places = torch.repeat_interleave(starts - begins, lengths)
        return places + torch.arange(len(places), device=places.device), begins


def read_item_text(files: Sequence[str], *, items: int) -> ItemText:
    """From Parquet files (`spec.Files`) with the columns of `ItemText.of_table`.

    Raises
    ------
    DataError : none is given, one cannot be read, or their rows are no text of these items
    """
    if not files:
        raise DataError("item text: no files given, and the network needs the items' terms and weights")
    tables = []
    for file in files:
        try:
            filesystem, path = locate(file)
            with filesystem.open(path) as opened:
                tables.append(pq.read_table(opened, columns=["item_idx", "terms", "weights"]))
        except (OSError, pa.ArrowException) as error:
            raise DataError(f"{file}: cannot be read as item text: {str(error).splitlines()[0]}") from error
    return ItemText.of_table(pa.concat_tables(tables), items=items)


def _check(item: np.ndarray, terms: np.ndarray, weights: np.ndarray, *, items: int) -> None:
    if len(item) and not 0 <= item.min() <= item.max() < items:
        raise DataError(f"item text: item_idx {item.min()} to {item.max()}; allowed are 0 to {items - 1}")
    if len(np.unique(item)) < len(item):
        raise DataError("item text: an item_idx has two rows; each item has one at most")
    if not np.array_equal(terms, weights):
        place = int(np.flatnonzero(terms != weights)[0])
        raise DataError(f"item text: item {item[place]} has {terms[place]} terms and {weights[place]} weights")


def _numbers(column: pa.Array | pa.ChunkedArray, kind: type[np.generic]) -> np.ndarray:
    # A copy where Arrow's buffer is used as it is: torch wants memory that it may write to.
    return np.array(column.to_numpy(zero_copy_only=False), dtype=kind)
