"""The items' text: how it is read, and that only what is there is computed."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from tests.neural.samples import ITEMS, TEXTS, network, text_rows

from nightreel.errors import DataError
from nightreel.neural.networks.item_text import ItemText, read_item_text
from nightreel.neural.networks.tower_networks import Hybrid


def test_rows_in_any_order_become_one_list_in_the_items_order() -> None:
    text = ItemText.of_table(text_rows(TEXTS), items=ITEMS)
    assert text.offsets.tolist() == [0, 2, 2, 5, 5, 6]
    assert text.terms.tolist() == [0, 3, 1, 0, 2, 2]
    assert text.weights.tolist() == pytest.approx([0.6, 0.8, 1.0, 0.5, 0.25, 1.0])
    assert text.vocabulary == 4


def test_entries_of_items_in_any_order_and_repeated() -> None:
    places, begins = ItemText.of_table(text_rows(TEXTS), items=ITEMS).entries_of(torch.tensor([4, 1, 2, 4]))
    assert places.tolist() == [5, 2, 3, 4, 5]
    assert begins.tolist() == [0, 1, 1, 4]


def test_null_and_empty_lists_are_no_text() -> None:
    rows = pa.table(
        {
            "item_idx": pa.array([1, 0, 2], pa.int32()),
            "terms": pa.array([None, [], [7]], pa.list_(pa.int32())),
            "weights": pa.array([None, [], [0.5]], pa.list_(pa.float32())),
        }
    )
    text = ItemText.of_table(rows, items=3)
    assert text.offsets.tolist() == [0, 0, 0, 1] and text.terms.tolist() == [7]


def test_the_tower_is_the_dense_product_of_the_whole_tf_idf_matrix() -> None:
    hybrid = network("hybrid")
    assert isinstance(hybrid, Hybrid)
    tf_idf = torch.zeros(ITEMS, 4)
    for item, text in TEXTS.items():
        for term, weight in text.items():
            tf_idf[item, term] = weight
    tower = hybrid.text
    dense = torch.relu(tower.out(torch.relu(tf_idf @ tower.terms.weight + tower.bias)))
    items = torch.tensor([3, 4, 0, 0, 2, 1])
    torch.testing.assert_close(tower(items), dense[items])
    assert torch.equal(dense[1], dense[3]), "items without text have one and the same vector"


def test_a_batch_computes_each_of_its_items_once() -> None:
    hybrid = network("hybrid")
    assert isinstance(hybrid, Hybrid)
    seen: list[int] = []
    hybrid.text.out.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
    hybrid(torch.zeros(1000, dtype=torch.int64), torch.tensor([2, 4]).repeat(500))
    assert seen == [2]


def test_files_are_read_one_after_another(tmp_path: Path) -> None:
    first, second = tmp_path / "a b.parquet", tmp_path / "c.parquet"
    pq.write_table(text_rows({0: TEXTS[0]}), first)
    pq.write_table(text_rows({4: TEXTS[4], 2: TEXTS[2]}), second)
    text = read_item_text([first.as_uri(), str(second)], items=ITEMS)
    assert "%20" in first.as_uri()
    assert text.terms.tolist() == [0, 3, 1, 0, 2, 2]


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        (text_rows({5: {0: 1.0}}), r"item text: item_idx 5 to 5; allowed are 0 to 4$"),
        (text_rows({-1: {0: 1.0}}), r"item text: item_idx -1 to -1; allowed are 0 to 4$"),
        (pa.concat_tables([text_rows({3: {0: 1.0}})] * 2), r"item text: an item_idx has two rows"),
        (text_rows({3: {-2: 1.0}}), r"item text: term -2 is below 0$"),
        (
            text_rows({3: {0: 1.0, 1: 1.0}}).set_column(2, "weights", pa.array([[1.0]], pa.list_(pa.float32()))),
            r"item text: item 3 has 2 terms and 1 weights$",
        ),
    ],
)
def test_rows_that_are_no_text_of_these_items(rows: pa.Table, complaint: str) -> None:
    with pytest.raises(DataError, match=f"^{complaint}"):
        ItemText.of_table(rows, items=ITEMS)


def test_a_file_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(b"no parquet")
    with pytest.raises(DataError, match=r"x\.parquet: cannot be read as item text: "):
        read_item_text([str(tmp_path / "x.parquet")], items=ITEMS)
    with pytest.raises(DataError, match="no files given"):
        read_item_text([], items=ITEMS)
