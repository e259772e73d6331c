"""Every setting, its type and its range. The defaults are in conf/base.toml and conf/models.toml."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializeAsAny,
    Strict,
    model_validator,
)


class Section(BaseModel):
    """A table of the configuration: no unknown keys, no silent conversions, never changed after loading."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


Share = Annotated[float, Field(ge=0.0, lt=1.0)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
PositiveInt = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0.0)]
Penalty = Annotated[float, Field(ge=0.0)]
Names = Annotated[
    tuple[Annotated[str, Field(min_length=1)], ...],
    Strict(False),
    BeforeValidator(lambda given: (given,) if isinstance(given, str) else given),
]
"""One name or a list of them."""


@dataclass(frozen=True)
class DefaultsFrom:
    """Annotates a field that holds a table: keys that it does not set have the values of the table named here."""

    table: str


class ColumnSettings(Section):
    """Own data: the columns of the ratings or events, by name, or by place (from 1) where header = false. Empty: the
    data has no such column."""

    user: Annotated[str, Field(min_length=1)]
    item: Annotated[str, Field(min_length=1)]
    rating: str
    """Of events, how much one counts; without it, each counts 1."""
    time: str
    """Seconds or milliseconds since 1970, or an ISO 8601 date or time; without an offset it is UTC. Of another form:
    data.time_format."""


class ItemColumnSettings(Section):
    """Own data: the columns of the items file, by name or place as those of the ratings. Empty: it has no such
    column."""

    item: Annotated[str, Field(min_length=1)]
    title: str
    year: str
    genres: str
    """Names separated by `|`, or a list where the format has lists."""


def _separator(text: str) -> str:
    if not re.fullmatch(r"[ \t]|[!#$%&'*,/:;<=>?@\\^_`{|}~]{1,4}", text):
        raise ValueError("must be a blank, a tab, or one to four signs that are no part of numbers, words and quotes")
    return text


class DataSettings(Section):
    """What `ingest` reads."""

    source: Literal["auto", "netflix", "movielens", "kmrd", "own", "events"]
    """The format; auto: whichever of netflix, movielens and kmrd the files are. own: ratings with columns of any
    names; events: the same of implicit feedback."""
    path: Annotated[Names, Field(min_length=1)]
    """Files, directories or globs of ratings; anything fsspec opens (s3://, gs://, abfss://, hdfs://). Of own data
    also Delta tables, by path or catalog name."""
    items: str
    """The file of titles or items; empty: the files next to the ratings that have the format's own names."""
    ids: Literal["number", "text"]
    """What external ids are in all tables, bigint or string. With number an id that is no whole number is rejected."""
    separator: Annotated[str, AfterValidator(_separator)]
    """Own data: what stands between the fields of a CSV record; in .tsv files a tab does."""
    escape: Literal["double", "backslash"]
    """Own data: how a quote within a quoted CSV field is written, `""` or `\\"`."""
    header: bool
    """Own data: the first record of a CSV file names its columns."""
    decimal: Literal[".", ","]
    """Own data: what stands before the fraction of a rating that is text."""
    time_format: str
    """Own data: the form of times that are text, as a pattern of Spark (`dd.MM.yyyy HH:mm`); empty: see
    data.columns.time."""
    columns: ColumnSettings
    item_columns: ItemColumnSettings

    @model_validator(mode="after")
    def published_ids_are_numbers(self) -> Self:
        if self.ids == "text" and self.source not in {"auto", "own", "events"}:
            raise ValueError(f'ids = "text": the ids of source = "{self.source}" are numbers')
        return self


class MetadataSettings(Section):
    """Films' descriptions to look the items' titles up in."""

    path: Names
    """movies_metadata.csv or tmdb_5000_movies.csv, or folders or globs of such; none: nothing is looked up."""
    min_votes: Annotated[int, Field(ge=0)]
    """Films with fewer votes are not looked at."""


class TablesSettings(Section):
    """Where the Delta tables lie: under a path or in a catalog, one schema (folder) per dataset."""

    root: Annotated[str, Field(min_length=1)]
    catalog: str
    """When set, tables are `<catalog>.<dataset>.<table>` and `root` holds only checkpoints."""
    dataset: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class ScaleSettings(Section):
    """The rating scale: what lies outside it is quarantined, predictions are clipped to it."""

    lowest: float
    highest: float

    @model_validator(mode="after")
    def ordered(self) -> Self:
        if self.lowest >= self.highest:
            raise ValueError("lowest must be below highest")
        return self


class IngestSettings(Section):
    """How raw files are read."""

    chunk_bytes: Annotated[int, Field(ge=4)]
    """What a Python worker holds of a file at a time; its memory is a small multiple of this."""
    partition_bytes: PositiveInt
    """What one Spark task reads; small files are packed together up to it."""
    max_line_bytes: Annotated[int, Field(ge=16)]
    max_reject_share: Annotated[float, Field(ge=0.0, le=1.0)]
    max_drop_share: Annotated[float, Field(ge=0.0, le=1.0)]
    """By which share the ratings may be fewer than after the last ingest."""
    gone: Literal["keep", "drop"]
    """What becomes of the ratings of files that were ingested once and are no longer there."""
    measure: bool
    """Describe the ratings once they are in: users, items, density, scale, dates, repeats (bronze_quality)."""


class FilterSettings(Section):
    """Which users and items have ratings enough to learn from. A threshold keeps those with at least so many."""

    min_ratings_per_user: Annotated[int, Field(ge=0)]
    min_ratings_per_item: Annotated[int, Field(ge=0)]
    user_quantile: Share
    """Also drop users below this quantile of ratings per user (0 drops none)."""
    item_quantile: Share
    iterate: bool
    """Repeat both filters until neither drops a row (a k-core); off, each looks once at the unfiltered counts."""
    repeats: Literal["latest", "sum"]
    """What several ratings of an item by one user become: the latest of them, or (of events) their sum."""


class TextSettings(Section):
    """Which words of the items' text count."""

    fields: Annotated[
        tuple[Literal["title", "overview", "genres", "keywords", "cast", "directors", "tags"], ...],
        Strict(False),
        Field(min_length=1),
    ]
    stop_words: Literal["none", "english"]
    """Words to leave out before terms are formed."""
    ngrams: Annotated[tuple[PositiveInt, PositiveInt], Strict(False)]
    """Of how many words in a row terms consist, the fewest and the most."""
    min_items: PositiveInt
    """Terms of fewer items are left out."""
    max_share: Annotated[float, Field(gt=0.0, le=1.0)]
    """Terms that more than this share of the items have are left out."""

    @model_validator(mode="after")
    def ordered(self) -> Self:
        if self.ngrams[0] > self.ngrams[1]:
            raise ValueError("ngrams must be [fewest, most]")
        return self


class SplitSettings(Section):
    """Which rows are held out. A number of rows, where above 0, takes precedence over the share."""

    strategy: Literal[
        "random", "per_user", "chronological", "chronological_per_user", "leave_one_out", "probe", "published"
    ]
    test_share: Share
    test_rows: Annotated[int, Field(ge=0)]
    validation_share: Share
    validation_rows: Annotated[int, Field(ge=0)]
    seed: Seed
    probe: str
    """The Prize's probe.txt, for strategy = "probe"."""
    fold: str
    """For strategy = "published": ml-100k's u1 .. u5, ua or ub."""

    @model_validator(mode="after")
    def leaves_something_to_train_on(self) -> Self:
        if not self.test_rows and not self.validation_rows and self.test_share + self.validation_share >= 1:
            raise ValueError("test_share + validation_share must be below 1")
        if self.strategy == "published" and not self.fold:
            raise ValueError('strategy = "published" needs fold = "<u1 .. u5, ua or ub>"')
        if self.strategy == "probe" and not self.probe:
            raise ValueError('strategy = "probe" needs probe = "<path of probe.txt>"')
        return self


class TrainSettings(Section):
    """What every training shares; hyperparameters are in conf/models.toml."""

    seed: Seed
    warm_start: bool
    """Whether als_block and als_implicit go on from the vectors of an earlier night."""


class Recipe(Section):
    """How networks are trained; [models.<name>.training] overrides it for one network."""

    batch_size: PositiveInt
    """Rows of a step over all ranks."""
    epochs: PositiveInt
    patience: Annotated[int, Field(ge=0)]
    """Stop after so many epochs in a row without a new best validation loss; 0 never stops early."""
    table_rate: Rate
    """Learning rate of the user and item tables (Adagrad)."""
    table_l2: Penalty
    """Every rating draws its user's and its item's row to zero: table_l2 / 2 * |row|^2 is added to its loss."""
    dense_rate: Rate
    """Learning rate of all other weights (AdamW)."""
    weight_decay: Penalty
    """Decoupled, of all other weights; not of biases."""
    schedule: Literal["constant", "cosine", "plateau"]
    """`cosine`: the rates fall to zero over `epochs`; `plateau`: they halve after each epoch without a new best."""
    warmup_steps: Annotated[int, Field(ge=0)]
    """Steps over which the rates rise to their value."""
    loss: Literal["mse", "huber"]
    """Of ratings; the implicit mode has its binary cross-entropy."""
    huber_delta: Rate
    """Errors beyond this, in rating units, count linearly."""
    gradient_clip: Penalty
    """Largest norm of a step's gradient over all weights; 0 does not clip."""


class NeuralSettings(Section):
    """Where and how neural models are trained; their hyperparameters are in conf/models.toml."""

    processes: PositiveInt
    """Ranks; on GPUs, one each."""
    local_mode: bool
    """Train on the driver's machine; else on the executors, a task a rank."""
    device: Literal["auto", "cpu", "cuda"]
    precision: Literal["fp32", "bf16"]
    feed: Literal["auto", "stream", "resident"]
    """How rows reach a rank: in a stream of bounded memory, or read once and kept on the device."""
    folder: str
    """For checkpoints and weights (<folder>/<dataset>/networks), the same path on the driver, every rank and every
    executor; empty: tables.root, which then must be such a path."""


class EvaluateSettings(Section):
    """What held-out rows are measured by."""

    split: Literal["validation", "test"]
    k: Annotated[tuple[PositiveInt, ...], Strict(False), Field(min_length=1)]
    relevant_from: float
    """A held-out rating of at least this is a relevant item."""


class CompareSettings(Section):
    """How models are compared; what they are measured by is in [evaluate]."""

    models: Annotated[Names, Field(min_length=1)]
    strategy: Literal["hash", "leave_one_out", "split"]
    """Rows into folds by a hash of their ids; of each user one row a fold; one fold, the rows of the split "test"."""
    folds: PositiveInt
    seed: Seed
    """Of the folds' hash."""
    metric: str
    """What the leaderboard is ordered by."""
    sampled_negatives: Annotated[int, Field(ge=0)]
    """Also rank each relevant item among so many drawn ones (sampled_hit_rate@k, sampled_ndcg@k); 0: only the full
    catalogue counts."""
    in_memory_rows: Annotated[int, Field(ge=0)]
    """Up to so many ratings, algorithms that can are trained in memory, without Spark."""
    workers: Annotated[int, Field(ge=0)]
    """Processes for that; 0: one a core."""

    @model_validator(mode="after")
    def something_is_left_to_train_on(self) -> Self:
        if self.strategy == "hash" and self.folds < 2:
            raise ValueError('folds must be 2 or more with strategy = "hash"')
        return self


class RecommendSettings(Section):
    """What is recommended, and by which model."""

    model: str
    """A model's name, or "auto": the night's model with the best nDCG on held-out rows."""
    n: PositiveInt
    similar_n: PositiveInt


class NightlySettings(Section):
    """What a night trains."""

    models: Annotated[Names, Field(min_length=1)]


class RetentionSettings(Section):
    """What a night removes at its end, on one machine; what serves, or may serve again, always stays."""

    nights: int
    """Nights whose runs stay; below 0, nothing is removed."""
    rollbacks: Annotated[int, Field(ge=0)]
    """Published runs that stay whatever their age."""
    versions_days: Penalty
    """Days that the log and the files of older versions of a table stay."""


class ObserveSettings(Section):
    """Who else is told of a job, and how."""

    log: Literal["text", "json"]
    """json: each step and the end of a job also as a JSON object on standard error; the log file always has them."""
    hook: Names
    """A command with its arguments, or one http(s) address, told as JSON of a refusal or failure; empty: nobody."""
    mlflow: str
    """The tracking URI to which a night's metrics go; empty: nowhere."""
    experiment: Annotated[str, Field(min_length=1)]
    """MLflow's experiment."""


class GateSettings(Section):
    """What a night has to reach before its result serves."""

    enforce: bool
    """Whether a failed check refuses the night; else it is only recorded."""
    lists: Literal["ndcg", "map", "recall", "precision", "hit_rate", "mrr"]
    """The metric that chooses the champion for lists, at 10 where evaluate.k has it, else at its longest."""
    ratings: Literal["rmse", "mae"]
    """The metric that chooses the champion for ratings."""
    margin: Penalty
    """A challenger takes over where it is better by more than so many standard errors of the users' differences."""
    min_gain: Share
    """How far the best RMSE has to lie below that of the mean rating."""
    min_rows_share: Share
    """Of the last accepted night's rows."""
    max_reject_share: Share
    """Of the rating lines that were read."""
    max_shift: Share
    """Of the ratings that would have to change to have the last accepted night's distribution."""
    max_cold_share: Share
    """Of the held-out rows."""
    min_catalogue_coverage: Share
    """Of the items, that the lists show to anyone."""
    max_item_share: Share
    """Of the users, whose list has the item that is shown most."""


class Settings(Section):
    """The whole configuration."""

    data: DataSettings
    metadata: MetadataSettings
    tables: TablesSettings
    scale: ScaleSettings
    ingest: IngestSettings
    filter: FilterSettings
    split: SplitSettings
    text: TextSettings
    train: TrainSettings
    training: Recipe
    neural: NeuralSettings
    evaluate: EvaluateSettings
    compare: CompareSettings
    recommend: RecommendSettings
    nightly: NightlySettings
    gate: GateSettings
    retention: RetentionSettings
    observe: ObserveSettings
    models: Mapping[str, SerializeAsAny[Section]]
    """Each model's hyperparameters, of its own type (nightreel.models.HYPERPARAMETERS); empty where `load` is given
    no types."""

    @model_validator(mode="after")
    def relevance_lies_in_the_scale(self) -> Self:
        if self.data.source != "events" and self.evaluate.relevant_from > self.scale.highest:
            raise ValueError(
                f"evaluate.relevant_from = {self.evaluate.relevant_from:g} lies above scale.highest = "
                f"{self.scale.highest:g}: no rating would be relevant"
            )
        return self
