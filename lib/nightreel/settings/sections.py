"""Every setting, its type and its range. Defaults stand in conf/base.toml, where a person looks for them."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Strict, model_validator


class Section(BaseModel):
    """A table of the configuration: no unknown keys, no silent conversions, never changed after loading."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


Share = Annotated[float, Field(ge=0.0, lt=1.0)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
PositiveInt = Annotated[int, Field(ge=1)]
Names = Annotated[
    tuple[Annotated[str, Field(min_length=1)], ...],
    Strict(False),
    BeforeValidator(lambda given: (given,) if isinstance(given, str) else given),
]
"""One name or a list of them."""


class DataSettings(Section):
    """What `ingest` reads."""

    source: Literal["netflix"]
    path: Annotated[Names, Field(min_length=1)]
    """Files, directories or globs of ratings; anything fsspec opens (s3://, gs://, abfss://, hdfs://)."""
    titles: str
    """The titles file; empty: looked for as movie_titles.csv or movie_titles.txt beside the ratings."""


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


class FilterSettings(Section):
    """Which users and items have ratings enough to learn from. A threshold keeps those with at least so many."""

    min_ratings_per_user: Annotated[int, Field(ge=0)]
    min_ratings_per_item: Annotated[int, Field(ge=0)]
    user_quantile: Share
    """Also drop users below this quantile of ratings per user (0 drops none)."""
    item_quantile: Share
    iterate: bool
    """Repeat both filters until neither drops a row (a k-core); off, each looks once at the unfiltered counts."""


class TextSettings(Section):
    """Which words of the items' text count."""

    min_items: PositiveInt
    """Words of fewer items are left out."""
    max_share: Annotated[float, Field(gt=0.0, le=1.0)]
    """And words of more than this share of the items."""


class SplitSettings(Section):
    """Which rows are held out. A number of rows, where above 0, takes precedence over the share."""

    strategy: Literal["random", "per_user", "chronological", "chronological_per_user", "leave_one_out", "probe"]
    test_share: Share
    test_rows: Annotated[int, Field(ge=0)]
    validation_share: Share
    validation_rows: Annotated[int, Field(ge=0)]
    seed: Seed
    probe: str
    """The Prize's probe.txt, for strategy = "probe"."""

    @model_validator(mode="after")
    def leaves_something_to_train_on(self) -> Self:
        if not self.test_rows and not self.validation_rows and self.test_share + self.validation_share >= 1:
            raise ValueError("test_share + validation_share must be below 1")
        if self.strategy == "probe" and not self.probe:
            raise ValueError('strategy = "probe" needs probe = "<path of probe.txt>"')
        return self


class TrainSettings(Section):
    """What every training shares; hyperparameters stand in conf/models.toml."""

    seed: Seed


class NeuralSettings(Section):
    """Where and how neural models are trained; what is tuned about them stands in conf/models.toml."""

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


class RecommendSettings(Section):
    """What is recommended, and by which model."""

    model: str
    n: PositiveInt
    similar_n: PositiveInt


class NightlySettings(Section):
    """What a night trains."""

    models: Annotated[Names, Field(min_length=1)]


class Settings(Section):
    """The whole configuration."""

    data: DataSettings
    tables: TablesSettings
    scale: ScaleSettings
    ingest: IngestSettings
    filter: FilterSettings
    split: SplitSettings
    text: TextSettings
    train: TrainSettings
    neural: NeuralSettings
    evaluate: EvaluateSettings
    recommend: RecommendSettings
    nightly: NightlySettings
    models: dict[str, dict[str, Any]]
    """Hyperparameters by model name, typed by the model itself (see nightreel.models)."""
