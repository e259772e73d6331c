"""Trainings by Spark's TorchDistributor: in processes of this machine, in tasks, and on executors of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from nightreel.errors import ConfigurationError, NightreelError
from nightreel.neural.launcher import _use_gpu, launch
from nightreel.neural.spec import Domain, TrainingSpec, hyperparameters
from nightreel.settings import NeuralSettings, load

LIBRARY = Path(__file__).parents[2] / "lib"


def ratings(file: Path, *, rows: int, seed: int) -> str:
    """Users who like every other item, items they all agree on: mf_bias can learn it from few rows."""
    random = np.random.default_rng(seed)
    users, items = random.integers(0, 40, rows), random.integers(0, 30, rows)
    stars = 3 + (users % 2) - (items % 3 == 0) + random.normal(0, 0.1, rows)
    columns = {"user_idx": pa.array(users, pa.int32()), "item_idx": pa.array(items, pa.int32())}
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns | {"rating": pa.array(stars, pa.float32())}), file, row_group_size=500)
    return str(file)


def specification(folder: Path) -> TrainingSpec:
    chosen = hyperparameters("mf_bias", ["training.epochs=4", "training.batch_size=200"])
    return TrainingSpec.model_validate(
        {
            "network": "mf_bias",
            "params": chosen.network.model_dump(),
            "domain": Domain(users=40, items=30, lowest=1.0, highest=5.0, mean=3.0),
            "recipe": chosen.training,
            "train": [ratings(folder / "train.parquet", rows=3_000, seed=1)],
            "validation": [ratings(folder / "validation.parquet", rows=500, seed=2)],
            "item_text": [],
            "feed": "stream",
            "device": "cpu",
            "precision": "fp32",
            "seed": 5,
            "folder": str(folder / "run"),
            "resume": False,
        }
    )


def settings(**changed: Any) -> NeuralSettings:
    return load("local", []).neural.model_copy(update={"device": "cpu", **changed})


@pytest.mark.slow
def test_two_processes_train_together(spark: SparkSession, tmp_path: Path) -> None:
    spec = specification(tmp_path)
    outcome = json.loads(launch(spark, spec, settings(processes=2, local_mode=True)))
    assert (outcome["processes"], outcome["rows"], len(outcome["history"])) == (2, 3_000, 4)
    spread = float(np.var(pq.read_table(spec.validation[0]).column("rating").to_numpy()))
    assert outcome["validation_loss"] < 0.5 * spread
    assert (tmp_path / "run" / "model.safetensors").exists()


class InThisProcess:
    """In place of TorchDistributor: one rank, whose exception arrives as torchrun's account of it."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def run(self, work: Callable[[str], str], argument: str) -> str:
        try:
            return work(argument)
        except Exception as error:
            raise RuntimeError("TorchDistributor failed\nsee the executors' logs") from error


def test_the_error_of_a_rank_is_the_one_line_of_the_launch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nightreel.neural.launcher.TorchDistributor", InThisProcess)
    spec = specification(tmp_path)
    Path(spec.train[0]).write_bytes(b"PAR1 and no more")
    with pytest.raises(NightreelError, match=r"train\.parquet: cannot be read as Parquet") as raised:
        launch(Mock(), spec, settings(processes=2, local_mode=True))
    assert "\n" not in str(raised.value)
    ratings(tmp_path / "train.parquet", rows=300, seed=1)
    impossible = spec.model_copy(update={"params": {"rank": 0}})
    with pytest.raises(ConfigurationError, match=r"^network mf_bias: "):
        launch(Mock(), impossible, settings(processes=2, local_mode=True))


def test_any_other_end_of_a_rank_is_the_last_line_of_torchruns_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nightreel.neural.launcher.TorchDistributor", InThisProcess)
    monkeypatch.setattr("nightreel.neural.training.train.train", Mock(side_effect=MemoryError))
    with pytest.raises(NightreelError, match=r"^train mf_bias: a rank ended: see the executors' logs$"):
        launch(Mock(), specification(tmp_path), settings(processes=2, local_mode=True))


@pytest.mark.parametrize(("device", "local_mode", "assigned"), [("cpu", False, "1"), ("cuda", True, None)])
def test_spark_assigns_no_gpus(device: str, local_mode: bool, assigned: str | None) -> None:
    spark = Mock(**{"conf.get.return_value": assigned})
    assert not _use_gpu(spark, settings(device=device, local_mode=local_mode))


def test_cuda_on_executors_needs_gpus_of_spark() -> None:
    on_executors = settings(device="cuda", local_mode=False)
    assert _use_gpu(Mock(**{"conf.get.return_value": "1"}), on_executors)
    with pytest.raises(
        ConfigurationError, match=r'^neural\.device = "cuda": spark\.task\.resource\.gpu\.amount is not set'
    ):
        _use_gpu(Mock(**{"conf.get.return_value": None}), on_executors)


ON_EXECUTORS = """
import sys
from pathlib import Path
from nightreel.neural.launcher import launch
from nightreel.neural.spec import TrainingSpec
from nightreel.session import spark_session
from nightreel.settings import NeuralSettings

folder, library = Path(sys.argv[1]), sys.argv[2]
spark = spark_session.start(
    checkpoints=str(folder / "checkpoints"),
    spark__master="local-cluster[2,1,1024]",
    spark__driver__memory="1g",
    spark__driver__extraJavaOptions="-XX:TieredStopAtLevel=1",
    spark__executor__extraJavaOptions="-XX:TieredStopAtLevel=1",
    spark__executorEnv__PYTHONPATH=library,
)
spec = TrainingSpec.model_validate_json((folder / "spec.json").read_text())
settings = NeuralSettings.model_validate_json((folder / "settings.json").read_text())
print(launch(spark, spec, settings))
spark.stop()
"""


@pytest.mark.slow
def test_executors_that_are_processes_of_their_own(tmp_path: Path) -> None:
    spec = specification(tmp_path)
    (tmp_path / "spec.json").write_text(spec.model_dump_json())
    (tmp_path / "settings.json").write_text(settings(processes=2, local_mode=False).model_dump_json())
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYSPARK", "SPARK"))}
    ended = subprocess.run(
        [sys.executable, "-c", ON_EXECUTORS, str(tmp_path), str(LIBRARY)],
        env=environment | {"PYTHONPATH": str(LIBRARY)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stderr[-3_000:]
    outcome = json.loads(ended.stdout.splitlines()[-1])
    assert (outcome["processes"], outcome["rows"], len(outcome["history"])) == (2, 3_000, 4)
