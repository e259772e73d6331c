"""A user's embedding beside an item's embedding and text."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from nightreel.neural.networks.dense import PairLinear, behind, output
from nightreel.neural.networks.domain import Domain
from nightreel.neural.networks.item_text import ItemText
from nightreel.neural.networks.params import HybridParams
from nightreel.neural.networks.tower_network import TowerNetwork


class TextTower(nn.Module):
    """TF-IDF text through dense layers of 128 and 32 units; the first is a weighted sum over the terms that are there.

    Shapes: (n,) item_idx -> (n, out); terms (vocabulary, hidden). The text is kept with the weights, as buffers.
    """

    def __init__(self, text: ItemText, *, hidden: int, out: int) -> None:
        super().__init__()
        self.vocabulary = text.vocabulary
        self.offsets = nn.Buffer(text.offsets)
        self.entry_terms = nn.Buffer(text.terms)
        self.entry_weights = nn.Buffer(text.weights)
        self.terms = nn.EmbeddingBag(text.vocabulary, hidden, mode="sum")
        self.bias = nn.Parameter(torch.zeros(hidden))
        self.out = nn.Linear(hidden, out)
        nn.init.normal_(self.terms.weight, std=hidden**-0.5)

    def forward(self, items: Tensor) -> Tensor:
        # A batch repeats its popular items many times: each text goes through the layers once.
        unique, place = torch.unique(items, return_inverse=True)
        entries, begins = self.text.entries_of(unique)
        bags = self.terms(self.entry_terms[entries], begins, per_sample_weights=self.entry_weights[entries])
        hidden = functional.relu(bags + self.bias)
        vectors: Tensor = functional.relu(self.out(hidden))
        return vectors[place]

    @property
    def text(self) -> ItemText:
        """The buffers, on the device they are on now."""
        return ItemText(self.offsets, self.entry_terms, self.entry_weights, self.vocabulary)


class Hybrid(TowerNetwork[HybridParams]):
    """User embedding, item embedding of 10 and text of 32, a dense layer of 512, dropout, and one output.

    Items without text are known by their embedding, as their text is a vector of zeros before the tower's biases.

    Shapes: users (users, user_embedding), items (items, item_embedding),
    first (user_embedding + item_embedding + text_embedding -> hidden[0]), out (hidden[-1] -> 1).
    """

    name: ClassVar[str] = "hybrid"

    def __init__(self, params: HybridParams, domain: Domain, text: ItemText) -> None:
        super().__init__(params, domain, widths=(params.user_embedding, params.item_embedding))
        self.text = TextTower(text, hidden=params.text_hidden, out=params.text_embedding)
        width = params.item_embedding + params.text_embedding
        self.first = PairLinear(params.user_embedding, width, params.hidden[0])
        self.behind = behind(params.hidden, dropout=params.dropout)
        self.out = output(params.hidden[-1], start=domain.mean)

    def item_features(self, items: Tensor) -> Tensor:
        return torch.cat([self.items(items), self.text(items)], dim=1)
