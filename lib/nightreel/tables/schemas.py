"""Every table nightreel keeps: its name, grain, columns, owner and partitions. tables.py reads and writes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

ID = "id"
"""The type of an external id: whatever the source has, bigint or string."""


@dataclass(frozen=True)
class TableSchema:
    """One table: what a row stands for, and its columns as Spark SQL types (or ID) in order."""

    name: str
    grain: str
    columns: Mapping[str, str]
    owner: str
    """The job that writes it."""
    partitions: tuple[str, ...]
    properties: Mapping[str, str]


_TABLES: Mapping[tuple[str, ...], Mapping[str, str]] = {
    ("bronze_files", "file ingested", "ingest"): {
        "file_id": "int",
        "kind": "string",  # ratings, items or metadata
        "path": "string",
        "size": "bigint",
        "modified_at": "timestamp",
        "rows": "bigint",
        "rejected": "bigint",
        "reading": "string",  # digest of the settings the file was read with: other settings, another reading
        "ingested_at": "timestamp",
    },
    ("bronze_ratings", "rating as delivered", "ingest"): {
        "user_id": ID,
        "item_id": ID,
        "rating": "float",
        "rated_at": "timestamp",
        "file_id": "int",
    },
    ("bronze_items", "item", "ingest"): {
        "item_id": ID,
        "title": "string",
        "year": "int",
        "genres": "array<string>",
        "other_title": "string",  # in another language, or the original one
        "other_year": "int",  # the year that stands with the other title
        "grade": "string",  # whom it is suitable for
        "cast": "array<string>",  # in the order of billing
        "leading": "array<string>",  # those of the cast in leading roles
        "countries": "array<string>",
        "tags": "array<string>",  # users' words for it, the most frequent first
        "imdb_id": "string",  # tt and seven digits or more
        "tmdb_id": "bigint",
    },
    ("bronze_metadata", "metadata row", "ingest"): {
        "metadata_id": "bigint",  # TMDB's
        "imdb_id": "string",
        "title": "string",
        "original_title": "string",
        "year": "int",
        "overview": "string",
        "genres": "array<string>",
        "keywords": "array<string>",
        "cast": "array<string>",
        "directors": "array<string>",
        "countries": "array<string>",
        "vote_average": "double",
        "vote_count": "bigint",
        "file_id": "int",
    },
    ("bronze_quality", "ingest x measure x of what", "ingest"): {
        "ingested_at": "timestamp",
        "measure": "string",  # ratings, users, rejected, rated, ...
        "of": "string",  # the rating's value, the reject's reason; null where the measure stands alone
        "value": "double",
    },
    ("bronze_quarantine", "rejected line", "ingest"): {
        "file_id": "int",
        # Byte offset of the line in the unpacked file. Of own data: the row's number in its Parquet file, else its
        # place in the order in which Spark reads files of its form, with gaps.
        "position": "bigint",
        "line": "string",  # cut at 1,000 characters, bytes that are no UTF-8 replaced
        "reason": "string",
    },
    ("silver_interactions", "user x item", "prepare", "split"): {
        "user_idx": "int",
        "item_idx": "int",
        "rating": "float",
        "rated_at": "timestamp",
        "split": "string",
    },
    ("silver_users", "user kept", "prepare"): {
        "user_idx": "int",
        "user_id": ID,
        "n_ratings": "bigint",
        "mean_rating": "double",
    },
    ("silver_items", "item kept", "prepare"): {
        "item_idx": "int",
        "item_id": ID,
        "n_ratings": "bigint",
        "mean_rating": "double",
        "title": "string",
        "year": "int",
        "genres": "array<string>",
        "overview": "string",
        "metadata_id": "bigint",  # the row of bronze_metadata found for it
        "matched_by": "string",  # the rule that found it, or why none was found
    },
    ("silver_user_index", "user ever kept", "prepare"): {
        "user_idx": "int",  # stays the user's for as long as the table is there
        "user_id": ID,
    },
    ("silver_item_index", "item ever kept", "prepare"): {
        "item_idx": "int",
        "item_id": ID,
    },
    ("silver_match_rates", "rule, or reason for no match", "prepare"): {
        "matched_by": "string",
        "matched": "boolean",
        "items": "bigint",
        "item_share": "double",
        "ratings": "bigint",
        "rating_share": "double",
    },
    ("silver_item_text", "item kept, with a word", "prepare"): {
        "item_idx": "int",
        "terms": "array<int>",
        "weights": "array<float>",
    },
    ("silver_vocabulary", "term", "prepare"): {"term_idx": "int", "term": "string", "idf": "double"},
    ("gold_runs", "training run", "train"): {
        "run_id": "string",
        "run_date": "date",
        "model": "string",
        "params": "string",  # JSON: the hyperparameters
        "seed": "bigint",
        "interactions_version": "bigint",  # Delta version of silver_interactions trained on
        "prepare_id": "string",  # stamp of the silver tables trained on: what the indices mean
        "code_version": "string",
        "started_at": "timestamp",
        "finished_at": "timestamp",
        "status": "string",
        "form": "string",  # factors, neighbours or network
        "header": "string",  # JSON: what the form needs in addition to its tables, such as the global mean
    },
    ("gold_metrics", "run x split x metric", "evaluate"): {
        "run_id": "string",
        "run_date": "date",
        "model": "string",
        "split": "string",
        "metric": "string",  # of an epoch of training: <name>@epoch<number>
        "value": "double",
        "rows": "bigint",  # what it was measured on: pairs, users with a relevant item, items, or recommendations
    },
    ("gold_user_factors", "run x user", "train", "run_id"): {
        "run_id": "string",
        "user_idx": "int",
        "bias": "float",
        "factors": "array<float>",
        "mean_rating": "float",
    },
    ("gold_item_factors", "run x item", "train", "run_id"): {
        "run_id": "string",
        "item_idx": "int",
        "bias": "float",
        "factors": "array<float>",
        "mean_rating": "float",
    },
    ("gold_neighbours", "run x user or item", "train", "run_id"): {
        "run_id": "string",
        "idx": "int",  # of an item or of a user, as the run's header says
        "scale": "float",  # what its ratings' distances from the biases are divided by
        "neighbours": "array<int>",  # the strongest first
        "weights": "array<float>",
    },
    ("gold_lease", "dataset", "every job that replaces tables"): {
        "holder": "string",  # machine and process
        "job": "string",
        "expires_at": "timestamp",
    },
    ("gold_champion", "purpose x decision on what serves", "nightly"): {
        "decision_id": "string",
        "purpose": "string",  # lists or ratings
        "decision": "string",  # first, takes over, stays, refused or rolled back
        "run_id": "string",  # what serves from then on
        "model": "string",
        "run_date": "date",  # of the lists that serve
        "since": "date",  # the night from which the model serves
        "night": "date",  # the night that decided
        "reason": "string",
        "figures": "string",  # JSON: what was measured
        "decided_at": "timestamp",
    },
    ("gold_gate", "run_date x check", "nightly"): {
        "run_date": "date",
        "name": "string",
        "value": "double",
        "threshold": "double",
        "passed": "boolean",
        "said": "string",
        "figures": "string",  # JSON: what later nights compare with
        "decided_at": "timestamp",
    },
    ("gold_recommendations", "run x run_date x user x rank", "recommend", "run_date"): {
        "run_id": "string",
        "run_date": "date",
        "user_id": ID,
        "rank": "int",
        "item_id": ID,
        "title": "string",
        "score": "float",
    },
    ("gold_similar_items", "run x run_date x item x rank", "recommend", "run_date"): {
        "run_id": "string",
        "run_date": "date",
        "item_id": ID,
        "title": "string",
        "rank": "int",
        "similar_item_id": ID,
        "similar_title": "string",
        "similarity": "float",
    },
    ("gold_predictions", "run x pairs file x position", "score", "run_id"): {
        "run_id": "string",
        "pairs": "string",  # the file or table of the pairs
        "position": "bigint",
        "user_id": ID,
        "item_id": ID,
        "prediction": "float",
        "cold": "boolean",  # the user or the item was unknown: a fallback mean
        "uncertainty": "float",  # standard deviation of a rating around the prediction; null of models without it
    },
    ("gold_comparison", "comparison x fold x candidate x metric", "compare"): {
        "comparison_id": "string",  # digest of the rows, the folds and the measures
        "fold": "int",
        "candidate": "string",  # the model's name, with what a grid changed
        "model": "string",
        "params": "string",  # JSON: the hyperparameters
        "metric": "string",  # null of a candidate that failed
        "value": "double",
        "rows": "bigint",
        "fit_seconds": "double",
        "predict_seconds": "double",
        "peak_bytes": "bigint",  # of the process that trained it; null on Spark
        "error": "string",
        "finished_at": "timestamp",
    },
    ("gold_steps", "run_date x step", "nightly"): {
        "run_date": "date",
        "step": "string",
        "fingerprint": "string",  # digest of the step's settings and of its inputs' versions
        "outputs": "string",  # JSON: id and version of each table as the step left it
        "summary": "string",  # JSON: what the step reported
        "finished_at": "timestamp",
    },
}
"""(name, grain, owner, columns it is partitioned by) and columns."""

LOG_RETENTION = "delta.logRetentionDuration"
"""The property of a table that says how long Delta keeps the log of older versions."""

_OF_ALL = {LOG_RETENTION: "interval 168 hours"}
_PROPERTIES = {"bronze_ratings": {"delta.dataSkippingStatsColumns": "file_id"}}

SCHEMAS: Mapping[str, TableSchema] = {
    name: TableSchema(name, grain, columns, owner, tuple(partitions), _OF_ALL | _PROPERTIES.get(name, {}))
    for (name, grain, owner, *partitions), columns in _TABLES.items()
}

EPOCH_METRICS = "(metric = 'best_epoch' OR metric LIKE '%@epoch%')"
"""SQL condition: the rows of gold_metrics that training writes; evaluate writes the others."""
