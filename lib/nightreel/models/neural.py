"""The torch networks as algorithms: trained by TorchDistributor, kept as factors or as a network."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from nightreel.errors import ConfigurationError, DataError
from nightreel.models.contract import Algorithm, Capability, EpochMetric, TrainedModel, TrainingContext
from nightreel.models.engine.catalogue import Ints, float_lists
from nightreel.models.forms.factors import FactorModel, with_factors, without_factors
from nightreel.models.forms.fold_in import FoldIn
from nightreel.models.forms.network import NetworkModel
from nightreel.models.forms.network_arrays import Weights, digest_of, item_parts
from nightreel.neural.spec import Domain, Hyperparameters, MfParams, NetworkParams, TrainingSpec, locate, needs_text

_ROWS_A_TASK = 1 << 17
_RATINGS = StructType().add("user_idx", "integer").add("item_idx", "integer").add("rating", "float")


class NeuralAlgorithm(Algorithm[Hyperparameters[NetworkParams]]):
    """A network of nightreel.neural.networks, where formula and source stand. `fit` needs a context with a folder.

    Rows stream from Parquet files; every rank holds the embeddings of all users and items.
    """

    def __init__(self, name: str, params: Hyperparameters[NetworkParams]) -> None:
        super().__init__(params)
        self.name = name

    def check(self) -> None:
        if find_spec("torch") is None or find_spec("petastorm") is None:
            raise ConfigurationError(
                f"model {self.name}: needs torch and petastorm: run `make neural`, or install nightreel's extra neural"
            )

    def fit(self, interactions: DataFrame, *, seed: int, context: TrainingContext | None = None) -> TrainedModel:
        """Train on the context's files where they hold exactly the rows, else on a copy of the rows.

        Raises
        ------
        ConfigurationError : no context, or GPUs asked for where there are none
        DataError : no rows, or no item text for a network that needs it
        NightreelError : the training failed
        """
        from nightreel.neural import launcher  # here, so that the workers of the top-N engine start without pyspark.ml

        self.check()
        if context is None or not context.folder:
            raise ConfigurationError(
                f"model {self.name}: neural.folder: must name a folder that the driver and all executors reach under "
                "the same path, as tables.root is none"
            )
        text = context.item_text if needs_text(self.name) else None
        if needs_text(self.name) and text is None:
            raise DataError(f"model {self.name}: needs the items' text, and there is none; prepare writes it")
        rows = interactions.select("user_idx", "item_idx", "rating").to(_RATINGS)
        extent = _extent(rows, context.validation, text)
        try:
            spec = self._spec(rows, extent, text, context, seed=seed)
        except ValidationError as error:
            raise ConfigurationError(f"[models.{self.name}]: {error.errors()[0]['msg']}") from None
        outcome = json.loads(launcher.launch(interactions.sparkSession, spec, context.launch))
        held_out = 0 if context.validation is None else context.validation.count()
        context.keep_history(_metrics(outcome, rows=extent.rows, held_out=held_out))
        return self._model(rows, extent, spec)

    def _spec(
        self, rows: DataFrame, extent: _Extent, text: DataFrame | None, context: TrainingContext, *, seed: int
    ) -> TrainingSpec:
        def files(part: str, frame: DataFrame | None, count: int | None = None) -> tuple[str, ...]:
            if frame is None:
                return ()
            given, copy = context.files.get(part, ()), Path(context.folder) / "rows" / part
            return files_of(frame, given, count=frame.count() if count is None else count, copy=copy)

        lowest, highest = context.scale.lowest, context.scale.highest
        mean = min(max(extent.mean, lowest), highest)
        return TrainingSpec(
            network=self.name,
            params=self.params.network.model_dump(mode="json"),
            domain=Domain(users=extent.users, items=extent.items, lowest=lowest, highest=highest, mean=mean),
            recipe=self.params.training,
            train=files("train", rows, extent.rows),
            validation=files("validation", context.validation),
            item_text=files("item_text", text),
            feed=context.launch.feed,
            device=context.launch.device,
            precision=context.launch.precision,
            seed=seed,
            folder=context.folder,
            resume=context.resume,
        )

    def _model(self, rows: DataFrame, extent: _Extent, spec: TrainingSpec) -> TrainedModel:
        users, items = (
            rows.groupBy(key).agg(F.avg(F.col("rating").cast("double")).cast("float").alias("mean_rating"))
            for key in ("user_idx", "item_idx")
        )
        if isinstance(self.params.network, MfParams):
            factors, learnt = _factors(spec.folder), partial(_learnt, rows.sparkSession, spec.folder)
            return FactorModel(
                algorithm=self.name,
                users=with_factors(users, learnt("user", extent.users), "user_idx"),
                items=with_factors(items, learnt("item", extent.items), "item_idx"),
                mean=factors.mean,
                global_mean=extent.mean,
                rank=int(factors.item_vectors.shape[1]),
                capabilities=frozenset(Capability),
                fold_in=FoldIn(
                    "joint" if self.name == "mf_bias" else "explicit", reg=self.params.training.table_l2 / 2
                ),
            )
        weights = Weights(spec.folder, digest_of(spec.folder))
        implicit = spec.params.get("mode") == "implicit"
        return NetworkModel(
            algorithm=self.name,
            users=without_factors(users.withColumn("bias", F.lit(0.0)), "user_idx"),
            items=_with_item_parts(items, weights),
            weights=weights,
            global_mean=extent.mean,
            table_l2=self.params.training.table_l2,
            capabilities=frozenset(Capability) - ({Capability.PREDICT} if implicit else set()),
        )


class _Extent(NamedTuple):
    """users and items: one more than the largest index in any rows; rows and mean: of the training rows."""

    users: int
    items: int
    rows: int
    mean: float


def _extent(rows: DataFrame, validation: DataFrame | None, text: DataFrame | None) -> _Extent:
    """Raises DataError where there are no training rows."""
    found = rows.agg(F.max("user_idx"), F.max("item_idx"), F.count("*"), F.avg("rating")).first()
    if found is None or not found[2]:
        raise DataError("no ratings to train on: the training rows are empty")
    largest = {"user_idx": found[0], "item_idx": found[1]}
    for frame in (validation, text):
        keys = [] if frame is None else [key for key in largest if key in frame.columns]
        other = frame.agg(*map(F.max, keys)).first() if frame is not None else None
        for key, index in zip(keys, other or (), strict=False):
            largest[key] = max(largest[key], index or 0)
    return _Extent(largest["user_idx"] + 1, largest["item_idx"] + 1, found[2], float(found[3]))


def files_of(rows: DataFrame, files: Sequence[str], *, count: int, copy: Path) -> tuple[str, ...]:
    """The files given, where they hold as many rows as the frame; else those of a copy.

    So the train split of a Delta table is read where it lies: its partition is a set of files. Where there are no
    files, or rows in them are marked as deleted, the rows are written to `copy` first.

    Parameters
    ----------
    files : of the rows as they are, if there are any; as DataFrame.inputFiles gives them
    count : rows of the frame
    copy : a folder that every rank reaches; a whole copy of an earlier attempt is used again
    """
    if files and sum(map(_rows_in, files)) == count:
        return tuple(files)
    if not (copy / "_SUCCESS").exists() or sum(map(_rows_in, _copied(copy))) != count:
        shutil.rmtree(copy, ignore_errors=True)
        rows.write.parquet(str(copy))
    return _copied(copy)


def _copied(copy: Path) -> tuple[str, ...]:
    return tuple(sorted(str(file) for file in copy.glob("*.parquet")))


def _rows_in(file: str) -> int:
    filesystem, path = locate(file)
    with filesystem.open(path) as opened:
        return int(pq.read_metadata(opened).num_rows)


def _metrics(outcome: Mapping[str, Any], *, rows: int, held_out: int) -> Sequence[EpochMetric]:
    """What gold_metrics keeps of the epochs; the one whose weights were kept is `best_epoch`."""
    metrics = [EpochMetric("train", "best_epoch", float(outcome["best_epoch"]), rows)]
    for epoch in outcome["history"]:
        at = f"@epoch{epoch['number']}"
        metrics += [
            EpochMetric("train", f"{name}{at}", float(epoch[column]), rows)
            for name, column in (("loss", "train_loss"), ("seconds", "seconds"), ("rows_per_second", "rows_per_second"))
        ]
        if epoch["validation_loss"] is not None:
            metrics.append(EpochMetric("validation", f"loss{at}", float(epoch["validation_loss"]), held_out))
    return metrics


def _learnt(spark: SparkSession, folder: str, side: str, count: int) -> DataFrame:
    """Grain user or item; columns <side>_idx, bias, factors, read from the weights on the executors."""

    def rows(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        factors = _factors(folder)
        bias, vectors = (getattr(factors, f"{side}_{part}").numpy() for part in ("bias", "vectors"))
        for batch in batches:
            index: Ints = batch.column(0).to_numpy()
            columns = [pa.array(index.astype(np.int32)), pa.array(bias[index]), float_lists(vectors[index])]
            yield pa.RecordBatch.from_arrays(columns, [f"{side}_idx", "bias", "factors"])

    indices = spark.range(0, count, numPartitions=-(-count // _ROWS_A_TASK))
    return indices.mapInArrow(rows, f"{side}_idx int, bias float, factors array<float>")


def _factors(folder: str) -> Any:
    """Never cached: the next training in the same folder leaves another network."""
    from nightreel.neural.networks.storage import load_network

    network: Any = load_network(Path(folder))
    return network.factors()


def _with_item_parts(items: DataFrame, weights: Weights) -> DataFrame:
    def parts(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            index, means = batch.column("item_idx"), batch.column("mean_rating")
            columns = [index, float_lists(item_parts(weights, index)), means]
            yield pa.RecordBatch.from_arrays(columns, ["item_idx", "factors", "mean_rating"])

    learnt = items.mapInArrow(parts, "item_idx int, factors array<float>, mean_rating float")
    return learnt.select("item_idx", F.lit(0.0).cast("float").alias("bias"), "factors", "mean_rating")
