"""Small networks of every kind for the tests."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import torch

from nightreel.neural.networks.item_text import ItemText
from nightreel.neural.networks.network import Network
from nightreel.neural.networks.params import Domain, checked
from nightreel.neural.networks.storage import build

USERS, ITEMS = 7, 5
DOMAIN = Domain(users=USERS, items=ITEMS, lowest=1.0, highest=5.0, mean=3.5)
PARAMS: dict[str, dict[str, Any]] = {
    "mf": {"rank": 4, "init_std": 0.1},
    "mf_bias": {"rank": 4, "init_std": 0.1},
    "deep": {"user_embedding": 6, "item_embedding": 3, "hidden": [8], "dropout": 0.0, "init_std": 0.1},
    "ncf": {"embedding": 4, "hidden": [8, 6, 4], "dropout": 0.1, "init_std": 0.1},
    "neumf": {
        "gmf_embedding": 3,
        "mlp_embedding": 5,
        "hidden": [8, 4],
        "dropout": 0.1,
        "mode": "rating",
        "negatives": 3,
        "min_rating": 4.0,
        "init_std": 0.1,
    },
    "hybrid": {
        "user_embedding": 6,
        "item_embedding": 3,
        "text_hidden": 8,
        "text_embedding": 4,
        "hidden": [16],
        "dropout": 0.2,
        "init_std": 0.1,
    },
}


def text_rows(texts: dict[int, dict[int, float]]) -> pa.Table:
    """Item text as its table has it, from {item: {term: weight}}."""
    return pa.table(
        {
            "item_idx": pa.array(list(texts), pa.int32()),
            "terms": pa.array([list(text) for text in texts.values()], pa.list_(pa.int32())),
            "weights": pa.array([list(text.values()) for text in texts.values()], pa.list_(pa.float32())),
        }
    )


TEXTS = {4: {2: 1.0}, 0: {0: 0.6, 3: 0.8}, 2: {1: 1.0, 0: 0.5, 2: 0.25}}
"""Items 1 and 3 have no text."""


def network(name: str, *, domain: Domain = DOMAIN, seed: int = 1, **changes: Any) -> Network[Any]:
    """In evaluation mode, its weights far from where training would start them, so that every part of it matters."""
    text = ItemText.of_table(text_rows(TEXTS), items=domain.items)
    built = build(name, checked(name, PARAMS[name] | changes), domain, seed=seed, text=text).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in built.parameters():
            weight.add_(torch.randn(weight.shape, generator=generator), alpha=0.5)
            if weight.dim() == 1:
                # No unit is below zero for all pairs, so that all of them matter.
                weight.abs_()
    return built


def all_pairs(users: int = USERS, items: int = ITEMS) -> tuple[torch.Tensor, torch.Tensor]:
    """Every user with every item: (users * items,) each."""
    return torch.arange(users).repeat_interleave(items), torch.arange(items).repeat(users)
