"""Networks of dense layers over the embeddings of user and item."""

from __future__ import annotations

import math
from typing import ClassVar, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from nightreel.neural.networks.item_text import ItemText
from nightreel.neural.networks.network import Network
from nightreel.neural.spec import DeepParams, Domain, HybridParams, NcfParams, NeumfParams, TowerParams

TowerParamsT = TypeVar("TowerParamsT", bound=TowerParams)


class PairLinear(nn.Module):
    """A linear layer over a user's and an item's concatenated features, whose two halves can be computed apart.

    W [user ; item] + b = (Wu user + b) + Wi item, so a tile of u users and i items costs u + i products with the
    weights instead of u * i.

    Shapes: weight (out, user + item), bias (out,).
    """

    def __init__(self, user: int, item: int, out: int) -> None:
        super().__init__()
        self.user_width = user
        self.layer = nn.Linear(user + item, out)

    def forward(self, user: Tensor, item: Tensor) -> Tensor:
        """(n, user), (n, item) -> (n, out)"""
        both: Tensor = self.layer(torch.cat([user, item], dim=1))
        return both

    def of_users(self, user: Tensor) -> Tensor:
        """(u, user) -> (u, out), with the bias."""
        return functional.linear(user, self.layer.weight[:, : self.user_width], self.layer.bias)

    def of_items(self, item: Tensor) -> Tensor:
        """(i, item) -> (i, out), without the bias."""
        return functional.linear(item, self.layer.weight[:, self.user_width :])


class TowerNetwork(Network[TowerParamsT]):
    """score = out(hidden(first([user ; item features]))).

    To score a whole catalogue, `user_tower` and `item_tower` compute the first layer once a user and once an item, and
    `score_tile` all pairs of some of either: score_tile(user_tower(u), item_tower(i))[a, b] is forward(u[a], i[b]).
    In evaluation mode only, as dropout draws anew for every call.
    """

    def make_layers(self, user: int, item: int, *, start: float) -> None:
        """first (user + item -> hidden[0]), hidden, and out (hidden[-1] -> 1), whose bias is at `start`.

        hidden is ReLU and dropout after `first` and after a linear layer for each further width.
        """
        widths, dropout = self.params.hidden, self.params.dropout
        self.first = PairLinear(user, item, widths[0])
        layers: list[nn.Module] = []
        for place, width in enumerate(widths):
            layers += [nn.Linear(widths[place - 1], width)] if place else []
            layers += [nn.ReLU(), nn.Dropout(dropout)] if dropout else [nn.ReLU()]
        self.hidden = nn.Sequential(*layers)
        self.out = nn.Linear(widths[-1], 1)
        nn.init.constant_(self.out.bias, start)

    @property
    def tile_width(self) -> int:
        """Floats that score_tile holds for a pair."""
        return self.first.layer.out_features

    def finish(self, joined: Tensor) -> Tensor:
        """What the first layer gives, before its activation: (..., tile_width) -> (...)"""
        score: Tensor = self.out(self.hidden(joined))
        return score.squeeze(-1)

    def item_features(self, items: Tensor) -> Tensor:
        """(n,) -> (n, width of an item's features)"""
        rows: Tensor = self.items(items)
        return rows

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        return self.finish(self.first(self.users(users), self.item_features(items)))

    def user_tower(self, users: Tensor) -> Tensor:
        """The users' part of score_tile: (u,) int64 -> (u, width) float32"""
        return self.first.of_users(self.users(users))

    def item_tower(self, items: Tensor) -> Tensor:
        """The items' part of score_tile: (i,) int64 -> (i, width) float32"""
        return self.first.of_items(self.item_features(items))

    def score_tile(self, user_part: Tensor, item_part: Tensor) -> Tensor:
        """Scores of all pairs: (u, width), (i, width) -> (u, i) float32; holds u * i * tile_width floats meanwhile."""
        return self.finish(user_part.unsqueeze(1) + item_part.unsqueeze(0))


class Deep(TowerNetwork[DeepParams]):
    """Embeddings of 20 and 10, concatenated, a dense layer of 256 and one output, which starts at the mean rating.

    Shapes: users (users, user_embedding), items (items, item_embedding).
    """

    name: ClassVar[str] = "deep"

    def __init__(self, params: DeepParams, domain: Domain) -> None:
        super().__init__(params, domain, widths=(params.user_embedding, params.item_embedding))
        self.make_layers(params.user_embedding, params.item_embedding, start=domain.mean)


_MARGIN = 0.01


class Ncf(TowerNetwork[NcfParams]):
    """score = lowest + (highest - lowest) * sigmoid(MLP([user ; item])), the MLP of 64, 32 and 16 units (He 2017).

    Shapes: users (users, embedding), items (items, embedding). The bias of `out` starts where the score is the mean
    rating.
    """

    name: ClassVar[str] = "ncf"

    def __init__(self, params: NcfParams, domain: Domain) -> None:
        super().__init__(params, domain, widths=(params.embedding, params.embedding))
        # A mean at an end of the scale would be an infinite logit.
        share = min(max((domain.mean - domain.lowest) / (domain.highest - domain.lowest), _MARGIN), 1.0 - _MARGIN)
        self.make_layers(params.embedding, params.embedding, start=math.log(share / (1.0 - share)))

    def finish(self, joined: Tensor) -> Tensor:
        # In float32 also under bf16, whose steps near 5 are as wide as 0.03.
        share = torch.sigmoid(super().finish(joined).float())
        return self.domain.lowest + (self.domain.highest - self.domain.lowest) * share


class Neumf(TowerNetwork[NeumfParams]):
    """score = h . (GMF user * GMF item) + MLP([MLP user ; MLP item]), on separate embeddings (He et al. 2017).

    In the rating mode the score is a rating and starts at the mean; in the implicit mode it is the logit of a positive.

    Shapes: users and items (.., gmf_embedding + mlp_embedding), the GMF's columns first; gmf (gmf_embedding,).
    """

    name: ClassVar[str] = "neumf"

    def __init__(self, params: NeumfParams, domain: Domain) -> None:
        width = params.gmf_embedding + params.mlp_embedding
        super().__init__(params, domain, widths=(width, width))
        self.gmf = nn.Parameter(torch.ones(params.gmf_embedding))
        start = 0.0 if self.implicit else domain.mean
        self.make_layers(params.mlp_embedding, params.mlp_embedding, start=start)

    @property
    def implicit(self) -> bool:
        """Whether scores are logits of preference instead of ratings."""
        return self.params.mode == "implicit"

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        user_gmf, user_mlp = self._halves(self.users(users))
        item_gmf, item_mlp = self._halves(self.items(items))
        return (user_gmf * item_gmf) @ self.gmf + self.finish(self.first(user_mlp, item_mlp))

    def user_tower(self, users: Tensor) -> Tensor:
        """(u,) -> (u, gmf_embedding + hidden[0]): the user's GMF vector, weighed, and its half of the first layer."""
        gmf, mlp = self._halves(self.users(users))
        return torch.cat([gmf * self.gmf, self.first.of_users(mlp)], dim=1)

    def item_tower(self, items: Tensor) -> Tensor:
        """(i,) -> (i, gmf_embedding + hidden[0])"""
        gmf, mlp = self._halves(self.items(items))
        return torch.cat([gmf, self.first.of_items(mlp)], dim=1)

    def score_tile(self, user_part: Tensor, item_part: Tensor) -> Tensor:
        user_gmf, user_mlp = self._halves(user_part)
        item_gmf, item_mlp = self._halves(item_part)
        return user_gmf @ item_gmf.T + super().score_tile(user_mlp, item_mlp)

    def _halves(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """What is the GMF's and what the MLP's of rows of a table or a tower."""
        return rows[:, : self.params.gmf_embedding], rows[:, self.params.gmf_embedding :]


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

    Shapes: users (users, user_embedding), items (items, item_embedding); an item's features are its embedding and its
    text's, (n, item_embedding + text_embedding).
    """

    name: ClassVar[str] = "hybrid"

    def __init__(self, params: HybridParams, domain: Domain, text: ItemText) -> None:
        super().__init__(params, domain, widths=(params.user_embedding, params.item_embedding))
        self.text = TextTower(text, hidden=params.text_hidden, out=params.text_embedding)
        width = params.item_embedding + params.text_embedding
        self.make_layers(params.user_embedding, width, start=domain.mean)

    def item_features(self, items: Tensor) -> Tensor:
        return torch.cat([self.items(items), self.text(items)], dim=1)
