"""Trainings by Spark's TorchDistributor: in processes of this machine, in tasks, and on executors of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from nightreel.errors import NightreelError
from nightreel.neural.launcher import launch
from nightreel.neural.networks.params import Domain
from nightreel.neural.training.spec import TrainingSpec, hyperparameters
from nightreel.settings import NeuralSettings, load

LIBRARY = Path(__file__).parents[2] / "lib"
pytestmark = pytest.mark.slow


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


@pytest.mark.parametrize("local_mode", [True, False])
def test_two_processes_train_together(spark: SparkSession, tmp_path: Path, local_mode: bool) -> None:
    spec = specification(tmp_path)
    outcome = json.loads(launch(spark, spec, settings(processes=2, local_mode=local_mode)))
    assert (outcome["processes"], outcome["rows"], len(outcome["history"])) == (2, 3_000, 4)
    spread = float(np.var(pq.read_table(spec.validation[0]).column("rating").to_numpy()))
    assert outcome["validation_loss"] < 0.5 * spread
    assert (tmp_path / "run" / "model.safetensors").exists()


def test_what_a_rank_complains_of_is_the_one_line_of_the_launch(spark: SparkSession, tmp_path: Path) -> None:
    spec = specification(tmp_path)
    Path(spec.train[0]).write_bytes(b"PAR1 and no more")
    with pytest.raises(NightreelError, match=r"train\.parquet: cannot be read as Parquet") as raised:
        launch(spark, spec, settings(processes=2, local_mode=True))
    assert "\n" not in str(raised.value)


ON_EXECUTORS = """
import sys
from pathlib import Path
from nightreel import session
from nightreel.neural.launcher import launch
from nightreel.neural.training.spec import hyperparameters, TrainingSpec
from nightreel.settings import NeuralSettings

folder, library = Path(sys.argv[1]), sys.argv[2]
spark = session.start(
    checkpoints=str(folder / "checkpoints"),
    spark__master="local-cluster[2,1,1024]",
    spark__driver__memory="1g",
    spark__executorEnv__PYTHONPATH=library,
)
spec = TrainingSpec.model_validate_json((folder / "spec.json").read_text())
settings = NeuralSettings.model_validate_json((folder / "settings.json").read_text())
print(launch(spark, spec, settings))
spark.stop()
"""


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
