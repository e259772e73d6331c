"""From ratings as delivered to the silver tables."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from nightreel.errors import DataError
from nightreel.prepare.dense import Dense, densify
from nightreel.prepare.described import describe, text_of
from nightreel.prepare.filters import deduplicate, keep_active, nothing_left
from nightreel.prepare.matching import match_rates
from nightreel.prepare.scratch import Scratch
from nightreel.prepare.splits import split
from nightreel.prepare.text import ItemText, item_text
from nightreel.settings import Settings
from nightreel.sources.source import with_all_columns

_ROWS_PER_FILE = 4_000_000


@dataclass(frozen=True)
class PrepareReport:
    """What happened to the ratings, in rows."""

    rows_in: int
    duplicates: int
    filtered: int
    train: int
    validation: int
    test: int
    users: int
    items: int

    @property
    def kept(self) -> int:
        return self.train + self.validation + self.test


@dataclass(frozen=True)
class Silver:
    """The silver tables' rows, ready to write; a context manager that lets go of what they were computed from.

    interactions : grain user x item; as silver_interactions. Partitions hold neighbouring users, sorted by split,
        user_idx, item_idx, so that a file holds a narrow range of users
    users : grain user; as silver_users
    items : grain item; as silver_items
    match_rates : grain rule, or reason for no match; as silver_match_rates, without rows where there is no metadata
    text : as silver_item_text and silver_vocabulary
    """

    interactions: DataFrame
    users: DataFrame
    items: DataFrame
    match_rates: DataFrame
    text: ItemText
    report: PrepareReport
    scratch: Scratch

    def __enter__(self) -> Silver:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.scratch.release()


def prepare(
    ratings: DataFrame,
    items: DataFrame,
    settings: Settings,
    *,
    metadata: DataFrame | None = None,
    probe: DataFrame | None = None,
) -> Silver:
    """Resolve duplicates, drop sparse users and items, split, number what is left, and find the items' films.

    Use as `with prepare(...) as silver:`, and write the tables inside.

    Parameters
    ----------
    ratings : grain rating as delivered; as bronze_ratings
    items : grain item; as bronze_items
    settings : its sections filter, split, metadata and text
    metadata : grain metadata row; as bronze_metadata. Without it no film is looked up
    probe : for strategy probe: columns user_id, item_id

    Raises
    ------
    DataError : there are no ratings, the filters leave none, or the split leaves none for training or for testing
    """
    with ExitStack() as on_failure, Scratch() as early:
        late = on_failure.enter_context(Scratch())
        unique = early.keep(deduplicate(ratings, rule=settings.filter.repeats))
        totals = unique.agg(F.count(F.lit(1)), F.coalesce(F.sum("deliveries"), F.lit(0))).first()
        distinct, rows_in = (totals[0], totals[1]) if totals else (0, 0)
        if rows_in == 0:
            raise DataError("there are no ratings to prepare; were any ingested?")
        active = keep_active(unique, settings.filter, scratch=early).drop("deliveries")
        marked = late.keep(split(active, settings.split, probe=probe))
        rows = {row["split"]: row["count"] for row in marked.groupBy("split").count().collect()}
        if not rows:
            raise nothing_left(unique, settings.filter)
        _check(rows, settings)
        dense = densify(marked, scratch=late)
        report = PrepareReport(
            rows_in=rows_in,
            duplicates=rows_in - distinct,
            filtered=distinct - sum(rows.values()),
            train=rows["train"],
            validation=rows.get("validation", 0),
            test=rows["test"],
            users=dense.n_users,
            items=dense.n_items,
        )
        silver = _silver(dense, items, metadata, report, settings, late)
        on_failure.pop_all()
        return silver


def _silver(
    dense: Dense,
    items: DataFrame,
    metadata: DataFrame | None,
    report: PrepareReport,
    settings: Settings,
    scratch: Scratch,
) -> Silver:
    files = -(-report.kept // _ROWS_PER_FILE)
    interactions = (
        dense.interactions.select("user_idx", "item_idx", "rating", "rated_at", "split")
        .repartitionByRange(files, "user_idx")
        .sortWithinPartitions("split", "user_idx", "item_idx")
    )
    told = describe(dense.items, items, metadata, min_votes=settings.metadata.min_votes, scratch=scratch)
    told = scratch.keep(told.withColumn("text", text_of(settings.text.fields)))
    return Silver(
        interactions,
        dense.users,
        with_all_columns(told, "silver_items"),
        match_rates(told if metadata is not None else told.limit(0)),
        item_text(told, settings.text, n_items=dense.n_items, scratch=scratch),
        report,
        scratch,
    )


def _check(rows: dict[str, int], settings: Settings) -> None:
    asked = settings.split
    for name in ("train", "test"):
        if not rows.get(name):
            raise DataError(
                f'split: strategy = "{asked.strategy}", test_share = {asked.test_share}, test_rows = {asked.test_rows}'
                f" leave no rating for {'training' if name == 'train' else 'testing'} of {sum(rows.values()):,}"
            )
