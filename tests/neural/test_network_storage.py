"""A network in a folder: what comes back is what went in, and what cannot come back says why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from tests.neural.samples import all_pairs, network

from nightreel.errors import ConfigurationError, DataError
from nightreel.neural.networks.storage import NETWORKS, load_network, save_network


@pytest.mark.parametrize("name", tuple(NETWORKS))
def test_a_kept_network_scores_the_same(name: str, tmp_path: Path) -> None:
    kept = network(name)
    save_network(kept, tmp_path / "run")
    loaded = load_network(tmp_path / "run")
    assert torch.equal(loaded(*all_pairs()), kept(*all_pairs()))
    assert loaded.params == kept.params and loaded.domain == kept.domain
    assert not loaded.training and not any(weight.requires_grad for weight in loaded.parameters())
    assert sorted(file.name for file in (tmp_path / "run").iterdir()) == ["model.json", "model.safetensors"]


def test_keeping_again_replaces(tmp_path: Path) -> None:
    save_network(network("mf"), tmp_path)
    save_network(network("ncf", seed=2), tmp_path)
    assert load_network(tmp_path).name == "ncf"


def test_nothing_is_found_where_keeping_was_cut_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_network(network("mf"), tmp_path)

    def full_disk(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("nightreel.neural.networks.storage.save_file", full_disk)
    with pytest.raises(OSError, match="No space left"):
        save_network(network("ncf"), tmp_path)
    with pytest.raises(DataError, match=r"model\.json: not the header of a network: .*No such file"):
        load_network(tmp_path)


def test_weights_that_were_cut_off(tmp_path: Path) -> None:
    save_network(network("mf"), tmp_path)
    weights = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(weights[:-10])
    with pytest.raises(DataError, match=r"model\.safetensors: not the weights that model\.json describes: "):
        load_network(tmp_path)


def test_weights_of_another_network(tmp_path: Path) -> None:
    save_network(network("mf"), tmp_path / "a")
    save_network(network("mf_bias"), tmp_path / "b")
    (tmp_path / "a" / "model.safetensors").replace(tmp_path / "b" / "model.safetensors")
    with pytest.raises(DataError, match=r"not the weights that model\.json describes: Error\(s\) in loading"):
        load_network(tmp_path / "b")


def test_hybrid_without_its_text(tmp_path: Path) -> None:
    save_network(network("mf"), tmp_path / "a")
    save_network(network("hybrid"), tmp_path / "b")
    (tmp_path / "a" / "model.safetensors").replace(tmp_path / "b" / "model.safetensors")
    with pytest.raises(DataError, match=r"'text\.offsets' is missing"):
        load_network(tmp_path / "b")


@pytest.mark.parametrize(
    ("change", "error", "complaint"),
    [
        ({"format": 1}, DataError, r"model\.json: not the header of a network"),
        ({"network": "nfc"}, ConfigurationError, "network nfc: unknown; did you mean ncf\\? known: mf"),
        ({"params": {"rank": 4}}, ConfigurationError, "network mf: init_std: field required"),
    ],
)
def test_a_header_of_another_version(
    change: dict[str, object], error: type[Exception], complaint: str, tmp_path: Path
) -> None:
    save_network(network("mf"), tmp_path)
    header = json.loads((tmp_path / "model.json").read_text(encoding="utf-8")) | change
    (tmp_path / "model.json").write_text(json.dumps(header), encoding="utf-8")
    with pytest.raises(error, match=complaint):
        load_network(tmp_path)
