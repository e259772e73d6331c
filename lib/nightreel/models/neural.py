"""The torch networks as algorithms: trained by TorchDistributor, kept as factors or as a network."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from nightreel.errors import ConfigurationError, DataError
from nightreel.models.contract import Algorithm, Capability, EpochMetric, Surroundings, TrainedModel
from nightreel.models.forms.factors import FactorModel
from nightreel.models.forms.network import NetworkModel, Weights
from nightreel.neural.networks.params import Domain, NetworkParams
from nightreel.neural.training.spec import Hyperparameters, TrainingSpec, hyperparameters_type, locate


def files_of(rows: DataFrame, files: Sequence[str], *, count: int, copy: Path) -> tuple[str, ...]:
    """The files given, where they hold as many rows as the frame; else those of a copy.

    So the train split of a Delta table is read where it lies: its partition is a set of files. Where there are no
    files, or rows in them are marked as deleted, the rows are written to `copy` first.

    Parameters
    ----------
    files : of the rows as they are, if there are any; as DataFrame.inputFiles gives them
    count : rows of the frame
    copy : a folder, which every reader reaches; what lies there of an earlier attempt is taken if it is whole
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


_ROWS_A_TASK = 1 << 17
_RATINGS = "user_idx int, item_idx int, rating float"


class NeuralAlgorithm(Algorithm[Hyperparameters[NetworkParams]]):
    """A network of nightreel.neural by its name. Needs `beside`."""

    ends_in_factors: ClassVar[bool] = False
    needs_text: ClassVar[bool] = False

    def fit(self, interactions: DataFrame, *, seed: int, beside: Surroundings | None = None) -> TrainedModel:
        """Train on the files of the rows' snapshot, where the rows are just those of some files; else on a copy.

        Raises
        ------
        ConfigurationError : no surroundings, or GPUs asked for where there are none
        DataError : no rows, or no item text for a network that needs it
        NightreelError : the training failed
        """
        self.check()
        if beside is None or not beside.folder:
            raise ConfigurationError(
                f"model {self.name}: neural.folder: must name a folder that the driver and all executors reach under "
                "the same path, as tables.root is none"
            )
        if self.needs_text and beside.item_text is None:
            raise DataError(f"model {self.name}: needs the items' text, and there is none; prepare writes it")
        rows = interactions.select("user_idx", "item_idx", "rating").to(_schema(interactions.sparkSession))
        extent = _extent(rows, beside.validation, beside.item_text if self.needs_text else None)
        try:
            spec = self._spec(rows, extent, beside, seed=seed)
        except ValidationError as error:
            raise ConfigurationError(f"[models.{self.name}]: {error.errors()[0]['msg']}") from None
        outcome = _train(interactions.sparkSession, spec, beside)
        held_out = 0 if beside.validation is None else beside.validation.count()
        beside.keep_history(_metrics(outcome, rows=extent["rows"], held_out=held_out))
        return self._model(rows, extent, spec)

    def check(self) -> None:
        if find_spec("torch") is None or find_spec("petastorm") is None:
            raise ConfigurationError(
                f"model {self.name}: needs torch and petastorm: run `make neural`, or install nightreel's extra neural"
            )

    def _spec(self, rows: DataFrame, extent: Row, beside: Surroundings, *, seed: int) -> TrainingSpec:
        def files(part: str, of: DataFrame | None, count: int | None = None) -> tuple[str, ...]:
            if of is None:
                return ()
            given, copy = beside.files.get(part, ()), Path(beside.folder) / "rows" / part
            return files_of(of, given, count=of.count() if count is None else count, copy=copy)

        return TrainingSpec(
            network=self.name,
            params=self.params.network.model_dump(mode="json"),
            domain=Domain(
                users=extent["users"],
                items=extent["items"],
                lowest=beside.scale.lowest,
                highest=beside.scale.highest,
                mean=min(max(extent["mean"], beside.scale.lowest), beside.scale.highest),
            ),
            recipe=self.params.training,
            train=files("train", rows, extent["rows"]),
            validation=files("validation", beside.validation),
            item_text=files("item_text", beside.item_text if self.needs_text else None),
            feed=beside.launch.feed,
            device=beside.launch.device,
            precision=beside.launch.precision,
            seed=seed,
            folder=beside.folder,
            resume=beside.resume,
        )

    def _model(self, rows: DataFrame, extent: Row, spec: TrainingSpec) -> TrainedModel:
        users, items = (
            rows.groupBy(key).agg(F.avg(F.col("rating").cast("double")).cast("float").alias("mean_rating"))
            for key in ("user_idx", "item_idx")
        )
        if self.ends_in_factors:
            return _factor_model(self.name, spec, users=users, items=items, global_mean=extent["mean"])
        from nightreel.models.forms.network import digest_of

        weights = Weights(spec.folder, digest_of(spec.folder))
        implicit = spec.params.get("mode") == "implicit"
        return NetworkModel(
            algorithm=self.name,
            users=_without_vectors(users, "user_idx"),
            items=_with_item_parts(items, weights),
            weights=weights,
            global_mean=extent["mean"],
            capabilities=frozenset(Capability) - ({Capability.PREDICT} if implicit else set()),
        )


class Mf(NeuralAlgorithm):
    """Inner products of embeddings."""

    name = "mf"
    params_type = hyperparameters_type("mf")
    ends_in_factors = True


class MfBias(NeuralAlgorithm):
    """Inner products of embeddings, with user, item and global bias."""

    name = "mf_bias"
    params_type = hyperparameters_type("mf_bias")
    ends_in_factors = True


class Deep(NeuralAlgorithm):
    """Embeddings concatenated, one wide layer."""

    name = "deep"
    params_type = hyperparameters_type("deep")


class Ncf(NeuralAlgorithm):
    """Embeddings concatenated, narrowing layers, a sigmoid scaled to the ratings (He et al. 2017)."""

    name = "ncf"
    params_type = hyperparameters_type("ncf")


class Neumf(NeuralAlgorithm):
    """Inner product and layers side by side, for ratings or implicit feedback (He et al. 2017)."""

    name = "neumf"
    params_type = hyperparameters_type("neumf")


class Hybrid(NeuralAlgorithm):
    """Embeddings beside the items' text."""

    name = "hybrid"
    params_type = hyperparameters_type("hybrid")
    needs_text = True


def _schema(spark: SparkSession) -> Any:
    return spark.createDataFrame([], _RATINGS).schema


def _extent(rows: DataFrame, validation: DataFrame | None, text: DataFrame | None) -> Row:
    """users and items: one more than the largest index in any of them; rows and mean: of training alone."""
    found = rows.agg(
        F.max("user_idx").alias("user"), F.max("item_idx").alias("item"), F.count("*").alias("rows"), F.avg("rating")
    ).first()
    if found is None or not found["rows"]:
        raise DataError("no ratings to train on: the training rows are empty")
    users, items = found["user"], found["item"]
    for frame in (validation, text):
        if frame is not None:
            largest = frame.agg(*[F.max(key) for key in ("user_idx", "item_idx") if key in frame.columns]).first()
            *user, item = largest or (0,)
            users, items = max([users, *(user_idx or 0 for user_idx in user)]), max(items, item or 0)
    return Row(users=users + 1, items=items + 1, rows=found["rows"], mean=float(found[3]))


def _train(spark: SparkSession, spec: TrainingSpec, beside: Surroundings) -> dict[str, Any]:
    from nightreel.neural.launcher import launch

    outcome: dict[str, Any] = json.loads(launch(spark, spec, beside.launch))
    return outcome


def _metrics(outcome: dict[str, Any], *, rows: int, held_out: int) -> Sequence[EpochMetric]:
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


def _factor_model(
    name: str, spec: TrainingSpec, *, users: DataFrame, items: DataFrame, global_mean: float
) -> FactorModel:
    from nightreel.models.forms.network import factors_header

    mean, rank = factors_header(spec.folder)
    return FactorModel(
        algorithm=name,
        users=_joined(users, _learnt(users.sparkSession, spec.folder, "user", spec.domain.users), "user_idx"),
        items=_joined(items, _learnt(items.sparkSession, spec.folder, "item", spec.domain.items), "item_idx"),
        mean=mean,
        global_mean=global_mean,
        rank=rank,
        capabilities=frozenset(Capability),
    )


def _learnt(spark: SparkSession, folder: str, side: str, count: int) -> DataFrame:
    """Grain user or item; columns <side>_idx, bias, factors, read from the weights on the executors."""

    def rows(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from nightreel.models.forms.network import factors_of

        learnt = factors_of(folder, side)
        for batch in batches:
            yield learnt(batch.column(0).to_numpy())

    indices = spark.range(0, count, numPartitions=-(-count // _ROWS_A_TASK))
    return indices.mapInArrow(rows, f"{side}_idx int, bias float, factors array<float>")


def _joined(side: DataFrame, learnt: DataFrame, key: str) -> DataFrame:
    return side.join(learnt, key, "inner").select(key, "bias", "factors", "mean_rating")


def _without_vectors(side: DataFrame, key: str) -> DataFrame:
    nothing = F.lit(0.0).cast("float").alias("bias"), F.array().cast("array<float>").alias("factors")
    return side.select(key, *nothing, "mean_rating")


def _with_item_parts(items: DataFrame, weights: Weights) -> DataFrame:
    def parts(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from nightreel.models.forms.network import item_parts

        for batch in batches:
            vectors = item_parts(weights, batch.column("item_idx"))
            ends = pa.array(range(0, vectors.size + 1, vectors.shape[1]), pa.int32())
            lists = pa.ListArray.from_arrays(ends, vectors.reshape(-1))
            yield pa.RecordBatch.from_arrays(
                [batch.column("item_idx"), lists, batch.column("mean_rating")], ["item_idx", "factors", "mean_rating"]
            )

    learnt = items.mapInArrow(parts, "item_idx int, factors array<float>, mean_rating float")
    return learnt.select("item_idx", F.lit(0.0).cast("float").alias("bias"), "factors", "mean_rating")
