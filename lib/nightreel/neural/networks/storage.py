"""A trained network in a folder: its weights as safetensors and, beside them, a JSON header to build it from."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from nightreel.errors import DataError
from nightreel.neural.networks.domain import Domain
from nightreel.neural.networks.hybrid import Hybrid
from nightreel.neural.networks.item_text import ItemText
from nightreel.neural.networks.network import Network
from nightreel.neural.networks.params import checked
from nightreel.neural.networks.registry import build
from nightreel.neural.networks.whole_files import write_tensors, write_text
from nightreel.settings.sections import PositiveInt, Section

WEIGHTS, HEADER = "model.safetensors", "model.json"


class Header(Section):
    """What stands in model.json."""

    format: Literal[1]
    network: str
    params: dict[str, Any]
    domain: Domain
    vocabulary: PositiveInt | None
    """Number of terms of the items' text, for a network that has it."""


def save_network(network: Network[Any], folder: Path) -> None:
    """Write model.safetensors and model.json, replacing what lies there; the header last, as it makes a model whole."""
    folder.mkdir(parents=True, exist_ok=True)
    header = Header(
        format=1,
        network=network.name,
        params=network.params.model_dump(mode="json"),
        domain=network.domain,
        vocabulary=network.text.vocabulary if isinstance(network, Hybrid) else None,
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
    header = _header(folder / HEADER)
    file = folder / WEIGHTS
    try:
        weights = load_file(file, device=str(device))
        with torch.device("meta"):
            params = checked(header.network, header.params)
            network = build(header.network, params, header.domain, seed=0, text=_text(weights, header))
        network.load_state_dict(weights, assign=True)
    except (OSError, SafetensorError, RuntimeError) as error:
        raise DataError(f"{file}: not the weights that {HEADER} describes: {_first_line(error)}") from error
    return network.eval().requires_grad_(False)


def _header(file: Path) -> Header:
    try:
        return Header.model_validate_json(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        raise DataError(f"{file}: not the header of a network: {_first_line(error)}") from error


def _text(weights: dict[str, Tensor], header: Header) -> ItemText | None:
    if header.vocabulary is None:
        return None
    try:
        offsets, terms, values = (weights[f"text.{name}"] for name in ("offsets", "entry_terms", "entry_weights"))
    except KeyError as missing:
        raise RuntimeError(f"{missing} is missing") from missing
    return ItemText(offsets, terms, values, header.vocabulary)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
