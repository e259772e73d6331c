"""A trained network in a folder: its weights as safetensors, and a JSON header to build it from."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from nightreel.errors import DataError
from nightreel.neural.networks.item_text import ItemText
from nightreel.neural.networks.network import Mf, MfBias, Network
from nightreel.neural.networks.tower_networks import Deep, Hybrid, Ncf, Neumf
from nightreel.neural.spec import Domain, NetworkParams, checked, needs_text
from nightreel.settings.sections import Section


def write_tensors(file: Path, tensors: Mapping[str, Tensor]) -> None:
    """As safetensors, under a temporary name until the file is on disk."""
    with _replacing(file) as unfinished:
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, unfinished)
        # safetensors makes files for their owner alone; a run's folder is read by others too.
        unfinished.chmod(0o644)


def write_text(file: Path, text: str) -> None:
    """In UTF-8, under a temporary name until the file is on disk."""
    with _replacing(file) as unfinished:
        unfinished.write_text(text, encoding="utf-8")


@contextmanager
def _replacing(file: Path) -> Iterator[Path]:
    unfinished = file.with_name(f".{file.name}.unfinished")
    yield unfinished
    sync(unfinished)
    unfinished.replace(file)
    sync(file.parent)


def sync(path: Path) -> None:
    """Wait until the file, or the folder's list of names, is on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


NETWORKS: dict[str, type[Network[Any]]] = {network.name: network for network in (Mf, MfBias, Deep, Ncf, Neumf, Hybrid)}
"""Every network by its name, simplest first."""


def build(name: str, params: NetworkParams, domain: Domain, *, seed: int, text: ItemText | None = None) -> Network[Any]:
    """The network before training; the same arguments draw the same weights, and torch's own generator stays as it is.

    Parameters
    ----------
    text : needed where `needs_text`, else ignored

    Raises
    ------
    ConfigurationError : no such network
    DataError : no text for a network that needs it
    """
    if needs_text(name) and text is None:
        raise DataError(f"network {name}: needs the items' text (item_idx, terms, weights), and none was given")
    network: Callable[..., Network[Any]] = NETWORKS[name]
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return network(params, domain, text) if needs_text(name) else network(params, domain)


WEIGHTS, HEADER = "model.safetensors", "model.json"


class Header(Section):
    """The content of model.json."""

    format: Literal[2]
    network: str
    params: dict[str, Any]
    domain: Domain


def save_network(network: Network[Any], folder: Path) -> None:
    """Write model.safetensors and model.json, replacing what lies there; the header last, as it makes a model whole."""
    folder.mkdir(parents=True, exist_ok=True)
    header = Header(
        format=2, network=network.name, params=network.params.model_dump(mode="json"), domain=network.domain
    )
    (folder / HEADER).unlink(missing_ok=True)
    write_tensors(folder / WEIGHTS, network.state_dict())
    write_text(folder / HEADER, header.model_dump_json(indent=2) + "\n")


def load_network(folder: Path, *, device: torch.device | str = "cpu") -> Network[Any]:
    """What `save_network` wrote, in evaluation mode and without gradients.

    Raises
    ------
    DataError : a file is missing, cut off, not of this version, or not what the other one belongs to
    """
    try:
        header = Header.model_validate_json((folder / HEADER).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        raise DataError(f"{folder / HEADER}: not the header of a network: {str(error).splitlines()[0]}") from error
    file = folder / WEIGHTS
    try:
        weights = load_file(file, device=str(device))
        with torch.device("meta"):
            params = checked(header.network, header.params)
            network = build(header.network, params, header.domain, seed=0, text=_text(weights, header))
        network.load_state_dict(weights, assign=True)
    except (OSError, SafetensorError, RuntimeError) as error:
        raise DataError(f"{file}: not the weights that {HEADER} describes: {str(error).splitlines()[0]}") from error
    return network.eval().requires_grad_(False)


def _text(weights: Mapping[str, Tensor], header: Header) -> ItemText | None:
    if not needs_text(header.network):
        return None
    parts = [f"text.{name}" for name in ("offsets", "entry_terms", "entry_weights", "terms.weight")]
    if missing := [part for part in parts if part not in weights]:
        raise RuntimeError(f"'{missing[0]}' is missing")
    offsets, terms, values, rows = (weights[part] for part in parts)
    return ItemText(offsets, terms, values, vocabulary=len(rows))
