"""Rankers that train in one process: BPR and WARP, the users' cosine, and what the items' text has in common."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np

from nightreel.errors import DataError
from nightreel.models.contract import Capability
from nightreel.models.engine.one_task import ArrayContext, InMemory, no_positives, share_of
from nightreel.models.forms.arrays import Lists, Numbers, Ratings, Side
from nightreel.models.forms.factor_arrays import FactorArrays
from nightreel.models.forms.fold_in import FoldIn
from nightreel.models.forms.neighbour_arrays import NeighbourArrays, NeighbourRule, histories_of, ranker
from nightreel.settings.sections import Penalty, PositiveInt, Rate, Section

_FOLD_IN = FoldIn("implicit", reg=1.0, alpha=40.0)
"""Least squares stand in for the pairs: on MovieLens latest-small folded users rank as well as trained ones."""
_CAN = frozenset({Capability.RECOMMEND, Capability.SIMILAR})


class BprParams(Section):
    """Hyperparameters of `bpr`."""

    rank: PositiveInt
    epochs: PositiveInt
    rate: Rate
    reg: Penalty
    init_std: Rate
    min_rating: float
    """What counts as a positive; items of lower ratings are no negatives."""


class WarpParams(BprParams):
    """Hyperparameters of `warp`."""

    most_drawn: PositiveInt
    """Unseen items looked at for one that is ranked too high."""
    features: Literal["none", "text"]
    """Whether an item's vector is its own alone, or also the weighted sum of its text's terms' vectors."""


class UserCosineParams(Section):
    """Hyperparameters of `user_cosine`."""

    kept: PositiveInt
    """Most similar users."""
    min_rating: float
    tasks: PositiveInt
    """That compare users on Spark; each holds all ratings, 12 bytes each."""


class ContentParams(Section):
    """Hyperparameters of `content`."""

    kept: PositiveInt
    """Most similar items of an item."""
    min_rating: float
    tasks: PositiveInt
    """That compare items on Spark; each holds all ratings, 12 bytes each."""


class Bpr(InMemory[BprParams]):
    """score = item bias + p_u . q_i; maximises log sigmoid(x_ui - x_uj) over positives i and unseen items j.

    Rendle et al., "BPR: Bayesian Personalized Ranking from Implicit Feedback", UAI 2009.
    """

    name = "bpr"
    params_type: type[BprParams] = BprParams

    def fit_arrays(self, ratings: Ratings, *, seed: int, context: ArrayContext | None = None) -> FactorArrays:
        from nightreel.models.solve.pairwise_sgd import descend

        params = self.params
        chosen = ratings.rating >= params.min_rating
        if not chosen.any():
            raise no_positives(self.name, params.min_rating)
        random = np.random.default_rng(seed)
        users, items = (random.normal(0, params.init_std, (n, params.rank)) for n in (ratings.n_users, ratings.n_items))
        bias, met = np.zeros(ratings.n_items), ratings.by_user
        positives = ratings.user_idx[chosen], ratings.item_idx[chosen]
        start = int(random.integers(1 << 31))
        how: Any = (params.epochs, params.rate, params.reg, self._drawn(), start)
        if self.uses_text:
            items, bias = self._with_text(ratings, context, users, items, (*positives, met.starts, met.ids), how)
        else:
            descend(*positives, met.starts, met.ids, users, items, bias, *how)
        return FactorArrays(
            users=Side.of(ratings.user_means, factors=users),
            items=Side.of(ratings.item_means, bias=bias, factors=items),
            mean=0.0,
            global_mean=ratings.mean,
            capabilities=_CAN,
            fold_in=replace(_FOLD_IN, min_rating=params.min_rating),
        )

    def _drawn(self) -> int:
        return 0

    def _with_text(
        self, ratings: Ratings, context: ArrayContext | None, users: Numbers, items: Numbers, rows: Any, how: Any
    ) -> tuple[Any, Any]:  # fmt: skip
        """The items' vectors and biases, each the weighted sum of its own and of its text's terms'."""
        from scipy.sparse import csr_matrix, hstack, identity

        from nightreel.models.solve.pairwise_sgd import descend_with_features

        text = None if context is None else context.item_text
        if text is None or not len(text.ids):
            raise DataError(
                f'model {self.name}: features = "text" needs the items\' text, and there is none; prepare writes it'
            )
        text = text.of(np.arange(ratings.n_items))
        n_terms = int(text.ids.max()) + 1
        terms = csr_matrix((text.values, text.ids, text.starts), (ratings.n_items, n_terms))
        of_items = hstack([identity(ratings.n_items), terms]).tocsr()
        features = np.concatenate([items, np.zeros((n_terms, items.shape[1]))])
        bias = np.zeros(len(features))
        lists: Any = (of_items.indptr, of_items.indices, of_items.data)
        given: Any = (*rows, users, features, bias, *lists, *how)
        descend_with_features(*given)
        return of_items @ features, of_items @ bias


class Warp(Bpr):
    """As `bpr`, with the weighted approximate-rank loss: the sooner an unseen item above is drawn, the larger the step.

    Weston, Bengio and Usunier, "WSABIE: Scaling Up to Large Vocabulary Image Annotation", IJCAI 2011. With features =
    "text" an item's vector is the sum of its own and of its terms', weighted by TF-IDF, and so is its bias (LightFM:
    Kula, "Metadata Embeddings for User and Item Cold-start Recommendations", CBRecSys 2015): items that few know are
    ranked by what their text has in common with others.
    """

    name = "warp"
    params_type = WarpParams
    params: WarpParams

    @property
    def uses_text(self) -> bool:
        return self.params.features == "text"

    def _drawn(self) -> int:
        return self.params.most_drawn


class UserCosine(InMemory[UserCosineParams]):
    """score(user, item) = sum of cosine(user, v) over the user's most similar users v who like the item."""

    name = "user_cosine"
    params_type = UserCosineParams
    most_users = 200_000

    def fit_arrays(self, ratings: Ratings, *, seed: int, context: ArrayContext | None = None) -> NeighbourArrays:
        from nightreel.models.solve.similarities import cosines

        lists = _positives(self.name, ratings, self.params.min_rating)
        rule = NeighbourRule(axis="user", combine="rank", min_rating=self.params.min_rating)
        table = cosines(lists, ratings.n_items, kept=self.params.kept, share=share_of(context))
        return ranker(ratings, rule, table, can=frozenset({Capability.RECOMMEND}))


class Content(InMemory[ContentParams]):
    """score(user, item) = sum of the TF-IDF cosines of the item's text with those the user likes (Lops et al., 2011).

    Items without text are never recommended but as popular ones.
    """

    name = "content"
    params_type = ContentParams
    uses_text = True
    most_items = 100_000

    def fit_arrays(self, ratings: Ratings, *, seed: int, context: ArrayContext | None = None) -> NeighbourArrays:
        from nightreel.models.solve.similarities import cosines

        _positives(self.name, ratings, self.params.min_rating)
        text = None if context is None else context.item_text
        if text is None or not len(text.ids):
            raise DataError("model content: needs the items' text, and there is none; prepare writes it")
        rule = NeighbourRule(axis="item", combine="rank", min_rating=self.params.min_rating)
        whole = text.of(np.arange(ratings.n_items))
        n_terms = int(whole.ids.max(initial=0)) + 1
        table = cosines(whole, n_terms, kept=self.params.kept, share=share_of(context))
        return ranker(ratings, rule, table, can=_CAN)


def _positives(name: str, ratings: Ratings, min_rating: float) -> Lists:
    lists = histories_of(ratings, min_rating=min_rating, below=0.0)
    if not len(lists.ids):
        raise no_positives(name, min_rating)
    return lists
