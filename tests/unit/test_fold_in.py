"""Users added to trained models in memory, and what explains a score."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.unit.test_classical import algorithm, fit, low_rank, ratings

from nightreel.errors import CapabilityError
from nightreel.models.classical.blend import BlendLists
from nightreel.models.engine.one_task import ArrayContext
from nightreel.models.forms.arrays import ArrayModel, Ratings, Side
from nightreel.models.forms.fold_in import FixedItems, FoldIn


def fixed(rule: FoldIn, bias: list[float], factors: list[list[float]], mean: float = 3.0) -> FixedItems:
    items = Side.of(np.zeros(len(bias), np.float32), bias=np.array(bias), factors=np.array(factors))
    return FixedItems(rule, items, mean=mean)


def test_a_bias_is_the_shrunk_mean_of_what_the_items_leave() -> None:
    user = fixed(FoldIn(weight=1.0, bias_reg=2.0), [0.5, -0.5], [[], []]).fold(np.array([0, 1]), [5.0, 4.0])
    assert user.bias == pytest.approx((1.5 + 1.5) / (2 + 2))
    assert user.amounts([]).tolist() == pytest.approx([1.5 / 4, 1.5 / 4])


def test_an_explicit_vector_of_one_factor() -> None:
    """(2 * 1 + 1 * -1) / (2^2 + 1^2 + reg n), by hand; then the item (3) has three times as much."""
    user = fixed(FoldIn("explicit", reg=0.5), [0.0, 0.0], [[2.0], [1.0]]).fold(np.array([0, 1]), [4.0, 2.0])
    assert user.vector.tolist() == pytest.approx([(2 - 1) / (5 + 1)])
    assert user.amounts([3.0]).tolist() == pytest.approx([3 * 2 / 6, 3 * -1 / 6])


def test_an_implicit_vector_of_one_factor() -> None:
    """Positive item 0: c = 1 + 4; the other is no positive. y c p / (sum y^2 + alpha y_0^2 + reg n)."""
    rule = FoldIn("implicit", reg=1.0, alpha=4.0, min_rating=4.0)
    user = fixed(rule, [0.0, 0.0], [[2.0], [1.0]], mean=0.0).fold(np.array([0, 1]), [5.0, 2.0])
    assert user.used.tolist() == [True, False]
    assert user.vector.tolist() == pytest.approx([2 * 5 / (5 + 4 * 4 + 1)])


def test_a_joint_bias_is_one_more_factor() -> None:
    """Without vectors: b = sum(rest) / (n + reg n)."""
    user = fixed(FoldIn("joint", reg=0.25), [0.0, 1.0], [[], []]).fold(np.array([0, 1, 9]), [5.0, 4.5, 1.0])
    assert user.used.tolist() == [True, True, False]  # the third item is unknown
    assert user.bias == pytest.approx((2.0 + 0.5) / (2 + 0.5))


@pytest.mark.parametrize("settings", [["residuals=true"], ["residuals=false"]])
def test_a_user_folded_in_has_the_vector_that_als_solves_for(settings: list[str]) -> None:
    rows = low_rank(noise=0.5)
    model = fit("als", rows, *settings)
    again = model.with_users(ratings(rows))
    assert again.users.factors == pytest.approx(model.users.factors, abs=1e-5)
    assert again.users.bias == pytest.approx(model.users.bias, abs=1e-5)
    implicit = fit("als_implicit", rows, "confidence='rating'")
    assert implicit.with_users(ratings(rows)).users.factors == pytest.approx(implicit.users.factors, abs=1e-5)


@pytest.mark.parametrize("name", ["als", "als_implicit", "funk_svd", "baseline", "ease", "item_knn", "popular", "bpr"])
def test_the_amounts_of_an_explanation_sum_to_the_score(name: str) -> None:
    rows = low_rank(noise=0.5)
    model, known = fit(name, rows), ratings(rows)
    for item in (0, 7):
        found = model.explain(3, item, known)
        assert found.base + found.amounts.sum() + found.rest == pytest.approx(found.score, abs=1e-5)
        assert set(found.items.tolist()) <= {i for u, i, _ in rows if u == 3}
        assert abs(found.rest) < (1e-5 if name not in ("funk_svd", "bpr") else np.inf)
        if model.capabilities >= {"predict"}:
            predicted = model.predict(np.array([3]), np.array([item])).prediction[0]
            assert found.score == pytest.approx(predicted, abs=1e-4)


def test_what_a_user_likes_explains_what_it_gets() -> None:
    """Users and items of two kinds: only items of its own kind speak for an item of that kind."""
    rows = low_rank()
    for name in ("als_implicit", "ease"):
        found = fit(name, rows).explain(2, 4, ratings(rows))
        best = found.items[np.argsort(-found.amounts)[:3]]
        assert (best % 2 == 0).all() and found.amounts.max() > 0


def test_a_blend_folds_in_its_members_and_explains_by_the_one_that_weighs_more() -> None:
    rows = low_rank()
    members = {name: fit(name, rows) for name in ("ease", "popular")}
    context = ArrayContext(trained=members.__getitem__)
    blend = algorithm("blend_lists", "half=2.0").fit_arrays(ratings(rows), seed=1, context=context)
    newcomer = blend.with_users(Ratings.of(np.array([0]), np.array([4]), np.array([5.0]), n_items=20))
    assert newcomer.share.tolist() == pytest.approx([1 / 3])  # type: ignore[attr-defined]
    one = Ratings.of(np.array([0]), np.array([4]), np.array([5.0]), n_items=20)
    assert "what is popular, which weighs 67%" in newcomer.explain(0, 6, one).how
    assert "what fits the user" in blend.explain(2, 6, ratings(rows)).how
    assert isinstance(algorithm("blend_lists"), BlendLists)


@pytest.mark.parametrize("name", ["svd", "co_clustering", "user_cosine", "item_knn"])
def test_a_model_without_a_way_to_add_users_says_so(name: str) -> None:
    rows = low_rank()
    with pytest.raises(CapabilityError, match="cannot take users"):
        fit(name, rows).with_users(ratings(rows))


@pytest.mark.parametrize("name", ["als_implicit", "ease", "bpr", "als", "bayes_mf"])
def test_added_users_are_served_as_well_as_trained_ones(name: str, real_data: Path) -> None:
    """Of MovieLens latest-small 100 users are left out of the training and folded in."""
    data = pd.read_csv(real_data / "ml-latest-small" / "ratings.csv")
    users, items = data.userId.to_numpy() - 1, pd.factorize(data.movieId)[0]
    held_out = np.random.default_rng(0).random(len(data)) < 0.2
    train = Ratings.of(users[~held_out], items[~held_out], data.rating.to_numpy()[~held_out], n_items=items.max() + 1)
    quick = ("rank=8", "sweeps=40", "samples=10", "burn_in=20") if name == "bayes_mf" else ()
    trained = algorithm(name, *quick).fit_arrays(train, seed=0)
    folded = algorithm(name, *quick).fit_arrays(train.where(train.user_idx < 510), seed=0).with_users(train)
    new, of_new = np.arange(510, 610), held_out & (users >= 510)
    if name in ("als", "bayes_mf"):
        errors = [
            np.sqrt(np.mean((model.predict(users[of_new], items[of_new]).prediction - data.rating[of_new]) ** 2))
            for model in (trained, folded)
        ]
        assert errors[1] < 1.02 * errors[0], errors
        return
    liked = set(zip(users[of_new & (data.rating >= 4)], items[of_new & (data.rating >= 4)], strict=True))
    share = 0.95 if name == "als_implicit" else 0.98  # longer vectors miss the hundred users' own ratings more
    assert _hits(folded, train, new, liked) > share * _hits(trained, train, new, liked)


def _hits(model: ArrayModel, train: Ratings, users: np.ndarray, liked: set[tuple[int, int]]) -> float:
    """Discounted hits among the first ten."""
    ranked = model.recommend(users, n=10, seen=train.by_user.of(users))
    places = zip(ranked.row, ranked.rank, ranked.item_idx, strict=True)
    return sum(1 / np.log2(rank + 1) for row, rank, item in places if (users[row], item) in liked)
