"""The algorithms that train in memory: answers computed by hand, by the formula, or planted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nightreel.errors import DataError
from nightreel.models import HYPERPARAMETERS, create
from nightreel.models.classical.item_weights import ItemWeights
from nightreel.models.engine.one_task import ArrayContext, FitsArrays
from nightreel.models.engine.row_blocks import Share
from nightreel.models.forms.arrays import Lists, Ratings
from nightreel.models.forms.factor_arrays import FactorArrays
from nightreel.models.forms.neighbour_arrays import NeighbourArrays
from nightreel.models.solve.least_squares import alternate
from nightreel.models.solve.similarities import similarities
from nightreel.settings import load

ROWS = [(0, 0, 5.0), (0, 1, 3.0), (1, 0, 4.0), (1, 1, 2.0), (1, 2, 1.0), (2, 1, 5.0), (2, 2, 4.0)]
"""Three users, three items: no user's row for (0, 2) and (2, 0)."""


def ratings(rows: list[tuple[int, int, float]]) -> Ratings:
    return Ratings.of(*(np.array(column) for column in zip(*rows, strict=True)))


def algorithm(model: str, *settings: str) -> FitsArrays:
    overrides = [f"models.{model}.{text}" for text in settings]
    found = create(model, load("local", overrides, models=HYPERPARAMETERS))
    assert isinstance(found, FitsArrays)
    return found


def fit(model: str, rows: list[tuple[int, int, float]], *settings: str, context: ArrayContext | None = None) -> Any:
    return algorithm(model, *settings).fit_arrays(ratings(rows), seed=7, context=context)


def predicted(model: Any, user: int, item: int) -> float:
    return float(model.predict(np.array([user]), np.array([item])).prediction[0])


@pytest.mark.parametrize("model", ["ease", "item_cosine"])
def test_sparse_weights_are_the_dense_ones(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The items are so few that each is near every other."""
    rows = low_rank(noise=0.5)
    dense = fit(model, rows, "kept=7")
    monkeypatch.setattr(ItemWeights, "most_dense_items", 0)
    sparse = fit(model, rows, "kept=7")
    assert sparse.table.ids.tolist() == dense.table.ids.tolist()
    assert sparse.table.values == pytest.approx(dense.table.values, abs=1e-6)
    shares = [fit(model, rows, "kept=7", context=ArrayContext(share=Share(place, 3))).table for place in range(3)]
    item = np.arange(len(sparse.table.counts))
    for place, share in enumerate(shares):
        assert (share.counts == np.where(item % 3 == place, sparse.table.counts, 0)).all()
    assert sum(share.values.sum() for share in shares) == pytest.approx(sparse.table.values.sum(), rel=1e-5)
    with pytest.raises(DataError, match="100,001 items, and it compares each with each, of at most 100,000"):
        algorithm(model).check_size(users=1, items=100_001, ratings=1)  # type: ignore[attr-defined]
    with pytest.raises(DataError, match="200,000,000 ratings, and a task holds them all, of at most 100,000,000"):
        algorithm(model).check_size(users=1, items=30_000, ratings=200_000_000)  # type: ignore[attr-defined]


def test_sparse_ease_that_lacks_pairs_uses_fewer_items(monkeypatch: pytest.MonkeyPatch) -> None:
    """With two pairs kept of each item the matrix of all is not positive definite."""
    from nightreel.models.solve import sparse_ease

    rows = low_rank(noise=0.5)
    monkeypatch.setattr(ItemWeights, "most_dense_items", 0)
    monkeypatch.setattr(sparse_ease, "_STORED", 2)
    table = fit("ease", rows, "reg=0.01").table
    assert np.isfinite(table.values).all()
    assert table.counts.max() <= 2


def test_an_item_that_few_know_is_ranked_by_its_text() -> None:
    """Items 0 to 3 are liked by even users, 4 to 7 by odd ones; 8 and 9 by nobody, with the text of either."""
    rows = [(user, item, 5.0) for user in range(30) for item in range(8) if (item < 4) == (user % 2 == 0)]
    rows += [(user, item, 1.0) for user in (30, 31) for item in (8, 9)]
    terms = np.array([0] * 4 + [1] * 4 + [0, 1], np.int32)
    text = Lists(np.arange(11), terms, np.ones(10, np.float32))
    model = fit("warp", rows, "features='text'", context=ArrayContext(item_text=text))
    same = fit("warp", rows, "features='text'", context=ArrayContext(item_text=text))
    assert (model.items.factors == same.items.factors).all()
    for user in range(4):
        scores = model.items.factors @ model.users.factors[user] + model.items.bias
        assert (scores[8] > scores[9]) == (user % 2 == 0)
    with pytest.raises(DataError, match="needs the items' text, and there is none"):
        fit("warp", rows, "features='text'")


def low_rank(*, noise: float = 0.0) -> list[tuple[int, int, float]]:
    """Two kinds of users, two kinds of items, and ratings 5 within a kind and 1 across; nine in ten are known."""
    random = np.random.default_rng(1)
    return [
        (u, i, (5.0 if u % 2 == i % 2 else 1.0) + noise * random.normal())
        for u in range(40)
        for i in range(20)
        if random.random() < 0.9
    ]


class TestSimilarities:
    @pytest.mark.parametrize(
        ("measure", "expected"),
        [
            ("cosine", {(0, 1): 23 / np.sqrt(41 * 13), (0, 2): 1.0, (1, 2): 22 / np.sqrt(29 * 17)}),
            ("msd", {(0, 1): 1 / 5, (0, 2): 1 / 10, (1, 2): 1 / 2}),
            ("pearson", {(0, 1): 1.0, (1, 2): 1.0}),
        ],
    )
    def test_over_the_columns_that_both_have(self, measure: str, expected: dict[tuple[int, int], float]) -> None:
        assert self.of(measure) == pytest.approx({**expected, **{(b, a): s for (a, b), s in expected.items()}})

    def test_pearson_baseline_shrinks_by_support(self) -> None:
        """Biases of 0 and a mean of 3: over users 0 and 1 items 0 and 1 have 2, 1 and 0, -1; times 1 / (1 + 4)."""
        found = self.of("pearson_baseline", shrinkage=4.0, mean=3.0)
        assert (0, 1) not in found  # (2 * 0 + 1 * -1) is below 0
        assert found[(1, 2)] == pytest.approx((-1 * -2 + 2 * 1) / np.sqrt(5 * 5) / 5)

    def test_pearson_of_equal_ratings_is_none(self) -> None:
        """3.3 and 4.7 are no float32: sums of rounded values must not make a correlation."""
        rows = ratings([(u, 0, 3.3) for u in range(7)] + [(u, 1, 4.7 - (u % 2)) for u in range(7)])
        nothing = similarities(
            rows.by_item, rows.by_user, measure="pearson", min_support=1, shrinkage=0.0, kept=0,
            row_bias=np.zeros(2), column_bias=np.zeros(7), mean=0.0,
        )  # fmt: skip
        assert nothing.counts.tolist() == [0, 0]

    def test_support_and_kept_leave_out(self) -> None:
        assert (0, 2) not in self.of("cosine", min_support=2)
        assert sorted(self.of("msd", kept=1)) == [(0, 1), (1, 2), (2, 1)]

    def of(self, measure: str, **changed: Any) -> dict[tuple[int, int], float]:
        rows = ratings(ROWS)
        options: dict[str, Any] = {"min_support": 1, "shrinkage": 0.0, "kept": 0, "mean": 0.0, **changed}
        zeros = np.zeros(3)
        found = similarities(rows.by_item, rows.by_user, measure=measure, row_bias=zeros, column_bias=zeros, **options)
        owners = np.repeat(np.arange(3), found.counts)
        return {(int(a), int(b)): float(s) for a, b, s in zip(owners, found.ids, found.values, strict=True)}


class TestNeighbours:
    S01 = 23 / np.sqrt(41 * 13)

    def test_basic_is_the_weighted_mean_of_ratings(self) -> None:
        model = fit("item_knn", ROWS, "similarity=cosine", "variant=basic")
        assert predicted(model, 2, 0) == pytest.approx((self.S01 * 5 + 1.0 * 4) / (self.S01 + 1.0))

    def test_k_takes_the_most_similar(self) -> None:
        model = fit("item_knn", ROWS, "similarity=cosine", "variant=basic", "k=1")
        assert predicted(model, 2, 0) == pytest.approx(4.0)

    def test_centred_adds_distances_from_means(self) -> None:
        model = fit("item_knn", ROWS, "similarity=cosine", "variant=centred")
        distances = self.S01 * (5 - 10 / 3) + 1.0 * (4 - 2.5)
        assert predicted(model, 2, 0) == pytest.approx(4.5 + distances / (self.S01 + 1.0))

    def test_zscore_divides_by_deviations(self) -> None:
        model = fit("user_knn", ROWS, "similarity=msd", "variant=zscore")
        # Users 0 and 1 share items 0 and 1 (differences 1, 1), users 2 and 1 items 1 and 2 (3, 3).
        deviation = {0: 1.0, 1: np.std([4, 2, 1]), 2: 0.5}
        s1, s2 = 1 / 2, 1 / 5  # of user 0 with 1, with 2 (item 1: 3 and 5)
        values = s1 * (1 - 7 / 3) / deviation[1] + s2 * (4 - 4.5) / deviation[2]
        assert predicted(model, 0, 2) == pytest.approx(4 + deviation[0] * values / (s1 + s2))

    def test_without_enough_neighbours_the_base_stays(self) -> None:
        assert predicted(fit("item_knn", ROWS, "variant=centred", "min_k=3"), 2, 0) == pytest.approx(4.5)
        assert predicted(fit("item_knn", ROWS, "variant=basic", "min_k=3"), 2, 0) == pytest.approx(4.5)

    def test_slope_one_as_published(self) -> None:
        """Lemire and Maclachlan's: Lucy's rating of the first item is ((2 + 0.5) + (5 + 3)) / 2."""
        rows = [(0, 0, 5.0), (0, 1, 3.0), (0, 2, 2.0), (1, 0, 3.0), (1, 1, 4.0), (2, 1, 2.0), (2, 2, 5.0)]
        assert predicted(fit("slope_one", rows), 2, 0) == pytest.approx(5.25)


class TestFactors:
    @pytest.mark.parametrize(
        ("model", "settings"),
        [
            ("svd", ["rank=2"]),
            ("funk_svd", ["rank=4", "epochs=200", "rate=0.02"]),
            ("svd_pp", ["rank=4", "epochs=200", "rate=0.02"]),
            ("nmf", ["rank=2", "epochs=200"]),
            ("co_clustering", ["user_clusters=2", "item_clusters=2"]),
            ("als", ["rank=2", "residuals=false", "reg=0.001"]),
            ("user_knn", ["variant=centred", "similarity=pearson"]),
            ("item_knn", ["variant=centred", "similarity=pearson"]),
        ],
    )
    def test_a_planted_checkerboard_is_learnt(self, model: str, settings: list[str]) -> None:
        known = low_rank()
        trained = fit(model, known, *settings)
        missing = sorted({(u, i) for u in range(40) for i in range(20)} - {(u, i) for u, i, _ in known})
        users, items = np.array(missing).T
        found = trained.predict(users, items).prediction
        expected = np.where(users % 2 == items % 2, 5.0, 1.0)
        off = 1.6 if model == "svd" else 0.5  # svd also reproduces the zeros of what is missing
        assert np.sqrt(np.mean((found - expected) ** 2)) < off

    def test_svd_pp_takes_the_steps_of_its_definition(self) -> None:
        """Koren's updates, one rating after another and every y_j at once, in plain Python."""
        rows = ratings(ROWS)
        found = algorithm("svd_pp", "rank=2", "epochs=3").fit_arrays(rows, seed=7)
        assert isinstance(found, FactorArrays)
        random, rate, reg = np.random.default_rng(7), 0.007, 0.02
        p, q = random.normal(0, 0.1, (3, 2)), random.normal(0, 0.1, (3, 2))
        y = np.random.default_rng([7, 2]).normal(0, 0.1, (3, 2))
        b_u, b_i, mean = np.zeros(3), np.zeros(3), rows.mean
        items_of = {u: [i for v, i, _ in ROWS if v == u] for u in range(3)}
        for _ in range(3):
            for u, i, r in ROWS:
                root = np.sqrt(len(items_of[u]))
                s = y[items_of[u]].sum(axis=0) / root
                error = r - (mean + b_u[u] + b_i[i] + q[i] @ (p[u] + s))
                b_u[u] += rate * (error - reg * b_u[u])
                b_i[i] += rate * (error - reg * b_i[i])
                y[items_of[u]] += rate * (error * q[i] / root - reg * y[items_of[u]])
                p[u], q[i] = p[u] + rate * (error * q[i] - reg * p[u]), q[i] + rate * (error * (p[u] + s) - reg * q[i])
        users = np.array([p[u] + y[items_of[u]].sum(axis=0) / np.sqrt(len(items_of[u])) for u in range(3)])
        assert found.users.factors == pytest.approx(users, abs=1e-6)
        assert found.items.factors == pytest.approx(q, abs=1e-6)
        assert found.users.bias == pytest.approx(b_u, abs=1e-6)

    def test_random_has_the_ratings_mean_and_deviation(self) -> None:
        rows = low_rank()
        users, items = np.divmod(np.arange(800), 20)
        found = fit("random", rows, "rank=200").predict(users, items).prediction
        assert found.mean() == pytest.approx(np.mean([r for *_, r in rows]), abs=0.3)
        assert found.std() == pytest.approx(np.std([r for *_, r in rows]), rel=0.15)

    def test_nmf_has_nothing_below_zero(self) -> None:
        trained = fit("nmf", low_rank(noise=0.3))
        assert trained.users.factors.min() >= 0 and trained.items.factors.min() >= 0

    @pytest.mark.parametrize(("implicit", "power"), [(False, 1.0), (True, 1.0), (True, 0.5), (True, 0.0)])
    def test_least_squares_end_where_no_user_can_be_better(self, implicit: bool, power: float) -> None:
        """The gradient of the objective by a user's vector is 0 after the users' turn."""
        rows, reg = ratings(ROWS), 0.1
        how: Any = {"rank": 2, "reg": reg, "iterations": 5, "seed": 1, "implicit": implicit, "power": power}
        users, items = alternate(rows.by_user, rows.by_item, **how)
        for user, vector in enumerate(users):
            mine = [(i, r) for u, i, r in ROWS if u == user]
            known = dict(mine)
            gradient = reg * len(mine) ** power * vector
            for item, other in enumerate(items):
                if implicit:
                    weight, target = 1 + known.get(item, 0.0), float(item in known)
                elif item in known:
                    weight, target = 1.0, known[item]
                else:
                    continue
                gradient = gradient - weight * (target - vector @ other) * other
            assert gradient == pytest.approx(np.zeros(2), abs=1e-5)


RANKERS = {
    "ease": ["kept=20", "reg=5.0"],
    "item_cosine": [],
    "user_cosine": [],
    "als_implicit": ["rank=4"],
    "bpr": ["rank=8"],
    "warp": ["rank=8"],
}


class TestRankers:
    @pytest.mark.parametrize("model", RANKERS)
    def test_a_checkerboards_lists_are_of_the_users_kind(self, model: str) -> None:
        known = [row for row in low_rank() if row[1] >= row[0] % 4]  # everyone misses some items of their kind
        trained = fit(model, known, *RANKERS[model])
        rows = ratings(known)
        users = np.arange(40)
        best = trained.recommend(users, n=1, seen=rows.by_user)
        missing = {u for u in range(40) if set(range(u % 2, 20, 2)) - {i for v, i, _ in known if v == u}}
        kinds = {int(row): int(item) % 2 for row, item in zip(best.row, best.item_idx, strict=True)}
        assert len(missing) > 20
        assert np.mean([kinds[user] == user % 2 for user in missing]) > 0.85  # without learning half

    def test_ease_is_the_published_closed_form(self) -> None:
        known = ratings(low_rank(noise=1.0))
        trained = algorithm("ease", "kept=20", "reg=3.0", "below=0.25").fit_arrays(known, seed=0)
        assert isinstance(trained, NeighbourArrays)
        x = np.zeros((40, 20))
        x[known.user_idx, known.item_idx] = np.where(known.rating >= 4, 1.0, 0.25)
        inverse = np.linalg.inv(x.T @ x + 3.0 * np.eye(20))
        weights = -inverse / np.diag(inverse)
        np.fill_diagonal(weights, 0)
        best = trained.recommend(np.arange(40), n=20, seen=Lists(np.zeros(41, np.int64), *(np.zeros(0, np.int32),) * 2))
        scores = np.zeros((40, 20))
        scores[best.row, best.item_idx] = best.score
        assert scores == pytest.approx(x @ weights, abs=1e-4)

    def test_content_goes_by_the_items_words(self) -> None:
        """Items 0 and 1 share a word, 2 and 3 another; the user likes item 0."""
        text = Lists(np.array([0, 1, 2, 3, 4]), np.array([7, 7, 9, 9], np.int32), np.ones(4, np.float32))
        rows = [(0, 0, 5.0), (1, 1, 5.0), (1, 2, 5.0), (2, 3, 5.0)]
        trained = fit("content", rows, context=ArrayContext(item_text=text))
        best = trained.recommend(np.array([0]), n=1, seen=ratings(rows).by_user.of(np.array([0])))
        assert best.item_idx.tolist() == [1]
        with pytest.raises(DataError, match="needs the items' text"):
            fit("content", rows)

    @pytest.mark.parametrize("model", RANKERS)
    def test_nothing_liked_is_said(self, model: str) -> None:
        with pytest.raises(DataError, match=f"^{model}: no training rating of at least min_rating = 4.0$"):
            fit(model, [(0, 0, 1.0), (1, 1, 2.0)])


@pytest.mark.parametrize(("model", "most"), [("item_knn", 100_000), ("slope_one", 30_000), ("ease", 100_000)])
def test_what_is_too_large_is_refused_with_the_limit(model: str, most: int) -> None:
    algorithm(model).check_size(users=10, items=most, ratings=1000)
    with pytest.raises(DataError, match=f"^model {model}: {most + 1:,} items, .*at most {most:,}"):
        algorithm(model).check_size(users=10, items=most + 1, ratings=1000)


@pytest.mark.parametrize("model", ["user_mean", "weighted_mean", "baseline", "popular", "als", "als_implicit"])
def test_what_spark_trains_at_any_size_is_not_refused(model: str) -> None:
    """They train in memory too, but a night of more ratings than fit there does not leave them out."""
    algorithm(model).check_size(users=10_000_000, items=1_000_000, ratings=10_000_000_000)


def test_rows_in_any_order_are_the_same_ratings() -> None:
    rows = ratings(ROWS)
    again = ratings(ROWS[::-1])
    assert all(np.array_equal(getattr(rows, name), getattr(again, name)) for name in ("user_idx", "item_idx", "rating"))
    assert rows.by_user.ids.tolist() == [0, 1, 0, 1, 2, 1, 2]
