"""Training by Spark's TorchDistributor: in processes on this machine, or on the executors."""

from __future__ import annotations

import json
import logging
import os
import sys
from contextlib import redirect_stdout
from pathlib import Path

from pyspark.ml.torch.distributor import TorchDistributor
from pyspark.sql import SparkSession

from nightreel.errors import BAD_USAGE, ConfigurationError, NightreelError
from nightreel.neural.spec import TrainingSpec
from nightreel.session.submit import environment, python_path
from nightreel.settings.sections import NeuralSettings

_TASK_GPUS = "spark.task.resource.gpu.amount"
_FAILURE = "failure.json"


def launch(spark: SparkSession, spec: TrainingSpec, settings: NeuralSettings) -> str:
    """Train as `settings` say and return the outcome (nightreel.neural.training.train.Outcome) as JSON.

    Every rank writes into spec.folder and reads the files of the specification, so all must reach both under the
    same paths. What the ranks print goes to standard error.

    Raises
    ------
    ConfigurationError : GPUs asked for where Spark has none to give
    NightreelError : a rank failed; its message is that of the first NightreelError on a rank, if there was one
    """
    folder = Path(spec.folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _FAILURE).unlink(missing_ok=True)
    use_gpu = _use_gpu(spark, settings)
    distributor = TorchDistributor(settings.processes, local_mode=settings.local_mode, use_gpu=use_gpu)
    logging.getLogger("TorchDistributor").setLevel(logging.WARNING)  # which it has just set to INFO
    with environment({"PYTHONPATH": python_path()}), redirect_stdout(sys.stderr):
        try:
            return str(distributor.run(_train, spec.model_dump_json()))
        except Exception as error:
            if (folder / _FAILURE).exists():
                failure = json.loads((folder / _FAILURE).read_text(encoding="utf-8"))
                kind = ConfigurationError if failure["exit_code"] == BAD_USAGE else NightreelError
                raise kind(failure["message"]) from error
            last_line = ([line for line in str(error).splitlines() if line.strip()] or [type(error).__name__])[-1]
            raise NightreelError(f"train {spec.network}: a rank ended: {last_line}") from error


def _train(spec_json: str) -> str:
    """What each rank runs. It imports torch here: the driver may have none."""
    from nightreel.neural.training.train import train

    spec = TrainingSpec.model_validate_json(spec_json)
    try:
        return train(spec).model_dump_json()
    except NightreelError as error:
        # For the driver, which sees only torchrun's account of it.
        unfinished = Path(spec.folder) / f".{_FAILURE}.{os.getpid()}"
        unfinished.write_text(json.dumps({"message": str(error), "exit_code": error.exit_code}), encoding="utf-8")
        unfinished.replace(Path(spec.folder) / _FAILURE)
        raise


def _use_gpu(spark: SparkSession, settings: NeuralSettings) -> bool:
    """Whether Spark assigns the GPUs; in local mode every process takes its own."""
    if settings.device == "cpu" or settings.local_mode:
        return False
    assigned = spark.conf.get(_TASK_GPUS, None)
    if assigned is None and settings.device == "cuda":
        raise ConfigurationError(
            f'neural.device = "cuda": {_TASK_GPUS} is not set; the session must start with GPUs for its tasks'
        )
    return assigned is not None
