"""Training by Spark's TorchDistributor: processes on this machine, or on the executors."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from urllib.parse import unquote

from fsspec import AbstractFileSystem
from fsspec.core import url_to_fs
from pyspark.ml.torch.distributor import TorchDistributor
from pyspark.sql import SparkSession

from nightreel.errors import ConfigurationError, NightreelError
from nightreel.neural.process import read_failure
from nightreel.neural.training.spec import TrainingSpec
from nightreel.session.submit import environment, python_path
from nightreel.settings.sections import NeuralSettings

_URI = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+:/")


def locate(file: str) -> tuple[AbstractFileSystem, str]:
    """What opens the file, and under which name.

    Parameters
    ----------
    file : a path, or a URI with its special characters escaped, as Spark's `inputFiles` gives them

    Raises
    ------
    ImportError, ValueError : nothing here opens files of that kind
    """
    filesystem, path = url_to_fs(unquote(file) if _URI.match(file) else file)
    return filesystem, path


_GPUS_OF_A_TASK = "spark.task.resource.gpu.amount"


def launch(spark: SparkSession, spec: TrainingSpec, settings: NeuralSettings) -> str:
    """Train as `settings` say and return the outcome (nightreel.neural.training.train.Outcome) as JSON.

    Every rank writes into spec.folder and reads the files of the specification, so all must reach both under the
    same paths. What the ranks print goes to standard error.

    Raises
    ------
    ConfigurationError : GPUs asked for where Spark has none to give
    NightreelError : a rank failed; names the fault where it is one that a person can mend
    """
    use_gpu = _use_gpu(spark, settings)
    distributor = TorchDistributor(settings.processes, local_mode=settings.local_mode, use_gpu=use_gpu)
    Path(spec.folder).mkdir(parents=True, exist_ok=True)
    read_failure(Path(spec.folder))  # of an earlier launch
    with _quiet(), environment({"PYTHONPATH": python_path()}), redirect_stdout(sys.stderr):
        try:
            return str(distributor.run(_train, spec.model_dump_json()))
        except Exception as error:
            raise read_failure(Path(spec.folder)) or NightreelError(
                f"train {spec.network}: a rank ended: {_last_line(error)}"
            ) from error


def _train(spec: str) -> str:
    """What each rank runs; its imports come here, as the function travels to processes that know nothing."""
    from nightreel.neural.process import recorded
    from nightreel.neural.training.spec import TrainingSpec
    from nightreel.neural.training.train import train

    wanted = TrainingSpec.model_validate_json(spec)
    with recorded(Path(wanted.folder)):
        return train(wanted).model_dump_json()


def _use_gpu(spark: SparkSession, settings: NeuralSettings) -> bool:
    """Whether Spark hands out the GPUs; on the driver's machine every process takes its own."""
    if settings.device == "cpu" or settings.local_mode:
        return False
    given = spark.conf.get(_GPUS_OF_A_TASK, None)
    if given is None and settings.device == "cuda":
        raise ConfigurationError(
            f'neural.device = "cuda": {_GPUS_OF_A_TASK} is not set; the session must start with GPUs for its tasks'
        )
    return given is not None


@contextmanager
def _quiet() -> Iterator[None]:
    """TorchDistributor announces itself on standard error."""
    logger = logging.getLogger("TorchDistributor")
    before = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(before)


def _last_line(error: BaseException) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
