"""From ratings as delivered to the silver tables."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from nightreel.errors import DataError
from nightreel.prepare.cache import Cache
from nightreel.prepare.dense import Dense, densify
from nightreel.prepare.filters import deduplicate, keep_active, nothing_left
from nightreel.prepare.item_details import item_details, text_of
from nightreel.prepare.matching import match_rates
from nightreel.prepare.splits import split
from nightreel.prepare.text import ItemText, item_text
from nightreel.settings import Settings
from nightreel.sources.source import with_all_columns

_ROWS_PER_FILE = 4_000_000


@dataclass(frozen=True)
class PrepareReport:
    """How many ratings came in, were dropped and were kept."""

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
    """The silver tables' rows, ready to write; a context manager that releases the frames they are computed from.

    interactions : grain user x item; as silver_interactions. A partition holds a range of users, sorted by split,
        user_idx, item_idx, so a file holds a narrow range of users
    users : grain user; as silver_users
    items : grain item; as silver_items
    match_rates : grain rule, or reason for no match; as silver_match_rates; empty without metadata
    text : as silver_item_text and silver_vocabulary
    """

    interactions: DataFrame
    users: DataFrame
    items: DataFrame
    match_rates: DataFrame
    text: ItemText
    report: PrepareReport
    cache: Cache

    def __enter__(self) -> Silver:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cache.release()


def prepare(
    ratings: DataFrame,
    items: DataFrame,
    settings: Settings,
    *,
    metadata: DataFrame | None = None,
    pairs: DataFrame | None = None,
) -> Silver:
    """Resolve duplicates, drop sparse users and items, split, assign dense indices, and match items to films.

    Use as `with prepare(...) as silver:`, and write the tables inside.

    Parameters
    ----------
    ratings : grain rating as delivered; as bronze_ratings
    items : grain item; as bronze_items
    settings : its sections filter, split, metadata and text
    metadata : grain metadata row; as bronze_metadata. Without it no item is matched
    pairs : the pairs to test, for strategies probe and published; columns user_id, item_id

    Raises
    ------
    DataError : there are no ratings, the filters leave none, or the split leaves none for training or for testing
    """
    with ExitStack() as on_failure, Cache() as early:
        late = on_failure.enter_context(Cache())
        unique = early.persist(deduplicate(ratings, rule=settings.filter.repeats))
        totals = unique.agg(F.count(F.lit(1)), F.coalesce(F.sum("deliveries"), F.lit(0))).first()
        distinct, rows_in = (totals[0], totals[1]) if totals else (0, 0)
        if rows_in == 0:
            raise DataError("there are no ratings to prepare; were any ingested?")
        active = keep_active(unique, settings.filter, cache=early).drop("deliveries")
        marked = late.persist(split(active, settings.split, pairs=pairs))
        rows = {row["split"]: row["count"] for row in marked.groupBy("split").count().collect()}
        if not rows:
            raise nothing_left(unique, settings.filter)
        _check(rows, settings)
        dense = densify(marked, cache=late)
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
    cache: Cache,
) -> Silver:
    files = -(-report.kept // _ROWS_PER_FILE)
    interactions = (
        dense.interactions.select("user_idx", "item_idx", "rating", "rated_at", "split")
        .repartitionByRange(files, "user_idx")
        .sortWithinPartitions("split", "user_idx", "item_idx")
    )
    details = item_details(dense.items, items, metadata, min_votes=settings.metadata.min_votes, cache=cache)
    details = cache.persist(details.withColumn("text", text_of(settings.text.fields)))
    return Silver(
        interactions,
        dense.users,
        with_all_columns(details, "silver_items"),
        match_rates(details if metadata is not None else details.limit(0)),
        item_text(details, settings.text, n_items=dense.n_items, cache=cache),
        report,
        cache,
    )


def _check(rows: dict[str, int], settings: Settings) -> None:
    given = settings.split
    for name in ("train", "test"):
        if not rows.get(name):
            raise DataError(
                f'split: strategy = "{given.strategy}", test_share = {given.test_share}, test_rows = {given.test_rows}'
                f" leave no rating for {'training' if name == 'train' else 'testing'} of {sum(rows.values()):,}"
            )
