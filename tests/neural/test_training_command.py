"""The command: training without Spark, alone and under torchrun."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
from tests.neural.ranks import torchrun
from tests.neural.samples import TEXTS, spec, text_rows, two_tastes

from nightreel.neural.networks.storage import NETWORKS, load_network
from nightreel.neural.spec import TrainingSpec, hyperparameters, params_type, read_spec
from nightreel.neural.training.__main__ import main
from nightreel.neural.training.train import Outcome, train


def outcome_in(folder: Path) -> Outcome:
    return Outcome.model_validate_json((folder / "outcome.json").read_text(encoding="utf-8"))


def test_a_specification_survives_json(tmp_path: Path) -> None:
    written = spec(tmp_path)
    (tmp_path / "spec.json").write_text(written.model_dump_json(), encoding="utf-8")
    assert read_spec(tmp_path / "spec.json") == written


@pytest.mark.parametrize("network", ["mf_bias", "neumf"])
def test_train_leaves_a_network_that_predicts(network: str, tmp_path: Path) -> None:
    outcome = train(spec(tmp_path, network=network, changes={"epochs": 6}))
    assert outcome == outcome_in(tmp_path / "run")
    rows = two_tastes()[:200]
    with torch.inference_mode():
        scores = load_network(Path(outcome.folder))(rows.users, rows.items).clamp(1.0, 5.0)
    assert float((scores - rows.ratings).square().mean()) == pytest.approx(outcome.validation_loss, rel=1e-5)
    assert outcome.validation_loss < 1.0 < float(rows.ratings.var())
    assert (outcome.rows, outcome.processes, outcome.device) == (1000, 1, "cpu")
    assert outcome.best_epoch == min(outcome.history, key=lambda epoch: epoch.validation_loss).number


def test_a_training_leaves_its_callers_random_numbers_alone(tmp_path: Path) -> None:
    torch.manual_seed(9)
    expected = torch.rand(3)
    torch.manual_seed(9)
    train(spec(tmp_path, changes={"epochs": 1}))
    assert torch.equal(torch.rand(3), expected)


def test_the_implicit_mode_trains_from_files(tmp_path: Path) -> None:
    params = spec(tmp_path, network="neumf").params | {"mode": "implicit"}
    domain = spec(tmp_path).domain.model_copy(update={"items": 35})
    outcome = train(spec(tmp_path, network="neumf", params=params, domain=domain, changes={"epochs": 4}))
    # One liked item to three unseen ones: who knows no more than that loses 0.56.
    assert outcome.validation_loss < 0.4


def test_hybrid_trains_from_files_with_items_that_have_no_text(tmp_path: Path) -> None:
    pq.write_table(text_rows(TEXTS), tmp_path / "text.parquet")
    text = [str(tmp_path / "text.parquet")]
    outcome = train(spec(tmp_path, network="hybrid", item_text=text, changes={"epochs": 6}))
    assert outcome.validation_loss < 1.0
    assert load_network(Path(outcome.folder)).name == "hybrid"


def test_trains_folders_of_parquet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = two_tastes()
    rows[200:600].write(tmp_path / "train" / "split=train" / "part-0.parquet")
    rows[600:].write(tmp_path / "train" / "split=train" / "part-1.parquet")
    rows[:200].write(tmp_path / "validation" / "part-0.parquet")
    flags = ["--network", "ncf", "--train", str(tmp_path / "train"), "--validation", str(tmp_path / "validation")]
    flags += ["--out", str(tmp_path / "out"), "--set", "training.epochs=2", "--set", "network.hidden=[8, 4]"]
    assert main(flags) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("ncf: 1,000 rows, 2 epochs on cpu, the best was ")
    assert "ncf epoch 2 of 2: loss " in printed.err
    network = load_network(tmp_path / "out")
    assert network.params.hidden == (8, 4)
    assert network.domain.model_dump() == pytest.approx(
        {"users": 40, "items": 30, "lowest": 1.0, "highest": 5.0, "mean": float(rows.ratings[200:].mean())}
    )


def test_torchrun_trains_two_processes_without_spark(tmp_path: Path) -> None:
    forbidden = tmp_path / "forbidden" / "pyspark"
    forbidden.mkdir(parents=True)
    (forbidden / "__init__.py").write_text("raise SystemExit('Spark was imported')\n", encoding="utf-8")
    (tmp_path / "spec.json").write_text(spec(tmp_path, changes={"epochs": 2}).model_dump_json(), encoding="utf-8")
    command = ["-m", "nightreel.neural.training", "--spec", str(tmp_path / "spec.json")]
    ended = torchrun(command, first_on_path=forbidden.parent)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("ncf: 1,000 rows, 2 epochs") == 1
    assert ended.stderr.count("ncf epoch 2 of 2: ") == 1
    outcome = outcome_in(tmp_path / "run")
    assert outcome.processes == 2 and len(outcome.history) == 2
    assert load_network(tmp_path / "run").name == "ncf"


def complaint(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1
    return said.err.removeprefix("training: ").rstrip()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "either --spec, or --network, --train and --out (see --help)"),
        (["--network", "ncf"], "either --spec, or --network, --train and --out (see --help)"),
        (["--network", "nfc"], "argument --network: invalid choice: 'nfc'"),
        (["--spec", "x.json", "--network", "ncf"], "--spec: holds everything"),
        (["--spec", "nowhere.json"], "nowhere.json: cannot be read: "),
    ],
)
def test_wrong_usage_is_one_line(arguments: list[str], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert complaint(arguments, capsys).startswith(text)


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("seed", "one", "spec.json: seed: Input should be a valid integer"),
        ("recipe", {}, "spec.json: recipe.batch_size: Field required"),
        ("train", [], "spec.json: train: Tuple should have at least 1 item"),
        ("params", {"embedding": 4}, "network ncf: init_std: field required"),
        ("network", "nfc", "network nfc: unknown; did you mean ncf? known: mf, "),
    ],
)
def test_a_wrong_specification_is_one_line(
    key: str, value: object, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = json.loads(spec(tmp_path).model_dump_json()) | {key: value}
    (tmp_path / "spec.json").write_text(json.dumps(wrong), encoding="utf-8")
    assert complaint(["--spec", str(tmp_path / "spec.json")], capsys).removeprefix(f"{tmp_path}/").startswith(text)


@pytest.mark.parametrize("network", tuple(NETWORKS))
def test_every_network_has_its_hyperparameters_in_the_configuration(network: str) -> None:
    shipped = hyperparameters(network, ["training.epochs=3", "training.epochs=4"])
    assert isinstance(shipped.network, params_type(network))
    assert shipped.training.epochs == 4


def test_plateau_needs_validation(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r'recipe\.schedule = "plateau" needs validation files'):
        TrainingSpec.model_validate(spec(tmp_path, changes={"schedule": "plateau"}).model_dump() | {"validation": ()})


@pytest.mark.parametrize("override", ["training.epoch=3", "network.embeding=3", "training.epochs=0"])
def test_a_wrong_override_is_one_line(override: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    two_tastes().write(tmp_path / "train" / "part-0.parquet")
    flags = ["--network", "ncf", "--train", str(tmp_path / "train"), "--out", str(tmp_path), "--set", override]
    assert complaint(flags, capsys).startswith(f"models.ncf.{override.partition('=')[0]}")


def test_a_folder_without_parquet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "_delta_log").mkdir()
    two_tastes().write(tmp_path / "_delta_log" / "checkpoint.parquet")
    assert main(["--network", "ncf", "--train", str(tmp_path), "--out", str(tmp_path)]) == 1
    assert capsys.readouterr().err == f"training: {tmp_path}: no .parquet files in it\n"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_cuda_where_there_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "spec.json").write_text(spec(tmp_path, device="cuda").model_dump_json(), encoding="utf-8")
    assert complaint(["--spec", str(tmp_path / "spec.json")], capsys).startswith("device = cuda: process 0 of this ")
