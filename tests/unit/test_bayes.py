"""Gibbs sampling: draws against the closed form, links solved exactly, planted factors found, and honest errors."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nightreel.errors import ConfigurationError, DataError
from nightreel.models import HYPERPARAMETERS, create
from nightreel.models.classical.bayes import BayesMf
from nightreel.models.forms.arrays import Lists, Ratings, Side
from nightreel.models.forms.fold_in import FixedItems, FoldIn
from nightreel.models.forms.samples import Samples, Unknown, laid_side_by_side
from nightreel.models.solve import gibbs
from nightreel.models.solve.gibbs import Drawn, Prior, draw
from nightreel.models.solve.sampling import check_links, sample_in_memory
from nightreel.settings import load

RANDOM = np.random.default_rng(5)
D = 3
OTHER = np.hstack(
    [
        RANDOM.normal(size=(4, D)),  # vectors, the bias first
        np.array([[1.0], [2.0], [0.5], [1.0]]),  # weights of the noise
        RANDOM.normal(size=(4, D)),  # the link's coefficients
        np.arange(4.0)[:, None],  # an extra column
    ]
).astype(np.float32)
LISTS = Lists(np.array([0, 3, 3, 4]), np.array([0, 1, 2, 3], np.int32), np.array([1.0, -1.0, 0.5, 2.0], np.float32))
OWN = np.array([[1.5], [1.0], [1.0]], np.float32)
PRIOR = Prior(np.array([0.2, -0.1, 0.3]), np.array([[2.0, 0.3, 0.0], [0.3, 1.5, 0.2], [0.0, 0.2, 1.0]]))
ALPHA = 2.0


def closed_form(row: int) -> tuple[Any, Any]:
    """Mean and covariance of a row's vector."""
    entries = slice(LISTS.starts[row], LISTS.starts[row + 1])
    ids, values = LISTS.ids[entries], LISTS.values[entries]
    design = np.column_stack([np.ones(len(ids)), OTHER[ids, 1:D]]).astype(np.float64)
    weights = ALPHA * OWN[row, 0] * OTHER[ids, D]
    link = OTHER[ids, D + 1 : 2 * D + 1].sum(axis=0) / np.sqrt(max(len(ids), 1))
    precision = PRIOR.precision + design.T @ (weights[:, None] * design)
    right = PRIOR.precision @ (PRIOR.mean + link) + design.T @ (weights * (values - OTHER[ids, 0]))
    return np.linalg.solve(precision, right), np.linalg.inv(precision)


def drawn(seed: int, lists: Lists = LISTS, rows: Any = None) -> Drawn:
    rows = np.arange(len(lists.counts)) if rows is None else rows
    return Drawn.split(draw(lists, OTHER, OWN[rows], rows, prior=PRIOR, alpha=ALPHA, seed=seed), D)


def test_draws_have_the_mean_and_covariance_of_the_closed_form() -> None:
    draws = np.array([drawn(seed).vectors for seed in range(4000)], np.float64)
    for row in range(3):  # the second has no entries: it is drawn from the prior
        mean, covariance = closed_form(row)
        assert draws[:, row].mean(axis=0) == pytest.approx(mean, abs=0.06)
        assert np.cov(draws[:, row].T) == pytest.approx(covariance, abs=0.06)


def test_what_a_pass_gathers() -> None:
    found = drawn(1)
    assert found.counts.tolist() == [3, 0, 1]
    assert found.sums[:, 0] == pytest.approx([(0 + 1 + 2) / np.sqrt(3), 0, 3])
    ids, values = LISTS.ids[:3], LISTS.values[:3]
    told = found.vectors[0, 0] + OTHER[ids, 0] + OTHER[ids, 1:D] @ found.vectors[0, 1:]
    assert found.squares[0] == pytest.approx(float(OTHER[ids, D] @ (values - told) ** 2), rel=1e-5)


def test_a_row_is_drawn_alike_in_any_block() -> None:
    whole, last = drawn(9), drawn(9, LISTS.of(np.array([2])), np.array([2]))
    assert last.vectors[0] == pytest.approx(whole.vectors[2], abs=1e-6)
    assert (drawn(9).vectors == whole.vectors).all()
    assert (drawn(10).vectors != whole.vectors).all()


def test_conjugate_gradients_solve_a_link_as_cholesky_does(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = RANDOM.normal(size=(60, 40)).astype(np.float32)
    gramian, right = rows.T @ rows, RANDOM.normal(size=(40, 3)).astype(np.float32)
    exactly = gibbs.solve_link(gramian, 2.0, right)
    assert exactly == pytest.approx(np.linalg.solve(gramian + 2.0 * np.eye(40), right), abs=1e-4)
    monkeypatch.setattr(gibbs, "_CHOLESKY_UP_TO", 0)
    assert gibbs.solve_link(gramian, 2.0, right) == pytest.approx(exactly, abs=1e-3)


class Planted:
    """Ratings by vectors of length 2 and noise of 0.5, twice as large for the users of odd index."""

    def __init__(self) -> None:
        random, n_users, n_items = np.random.default_rng(3), 200, 120
        users, items = random.normal(size=(n_users, 2)), random.normal(size=(n_items, 2)) * 0.7
        at = random.random((n_users, n_items)) < 0.4
        user, item = np.nonzero(at)
        noise = 0.5 * (1 + user % 2)
        rating = 3.0 + (users[user] * items[item]).sum(axis=1) + noise * random.normal(size=len(user))
        held = random.random(len(user)) < 0.2
        self.train = Ratings.of(user[~held], item[~held], rating[~held])
        self.user, self.item, self.rating = user[held], item[held], rating[held]
        self.noise = noise[held]


@pytest.fixture(scope="module")
def planted() -> Planted:
    return Planted()


def bayes(**changed: Any) -> BayesMf:
    how = {"rank": 2, "sweeps": 60, "burn_in": 20, "samples": 20, "links": True} | changed
    words = [f"models.bayes_mf.{name}={str(value).lower()}" for name, value in how.items()]
    algorithm = create("bayes_mf", load("local", words, models=HYPERPARAMETERS))
    assert isinstance(algorithm, BayesMf)
    return algorithm


@pytest.mark.parametrize("links", [True, False])
def test_finds_planted_vectors_and_says_how_far_off_it_is(planted: Planted, links: bool) -> None:
    model = bayes(links=links).fit_arrays(planted.train, seed=1)
    told = model.predict(planted.user, planted.item)
    assert told.uncertainty is not None
    away = np.abs(planted.rating - told.prediction)
    best = np.sqrt(np.mean(planted.noise**2))
    assert best * 0.95 < np.sqrt(np.mean(away**2)) < best * 1.1
    assert np.mean(away <= told.uncertainty) == pytest.approx(0.68, abs=0.03)
    assert np.mean(away <= 2 * told.uncertainty) == pytest.approx(0.95, abs=0.03)
    of_noisy, of_quiet = (told.uncertainty[planted.user % 2 == odd].mean() for odd in (1, 0))
    assert of_noisy == pytest.approx(2 * of_quiet, rel=0.25)
    unknown = model.predict(np.array([planted.user[0], 10_000, -1]), np.array([10_000, 3, -1]))
    assert unknown.cold.all()
    assert unknown.prediction[2] == pytest.approx(planted.train.mean, abs=0.5)


def test_a_side_may_be_the_wider_one(planted: Planted) -> None:
    turned = Ratings.of(planted.train.item_idx, planted.train.user_idx, planted.train.rating)
    model = bayes().fit_arrays(turned, seed=1)
    told = model.predict(planted.item, planted.user).prediction
    best = np.sqrt(np.mean(planted.noise**2))
    assert np.sqrt(np.mean((told - planted.rating) ** 2)) < best * 1.1


def test_a_killed_chain_goes_on_from_its_checkpoint(planted: Planted, tmp_path: Path, monkeypatch: Any) -> None:
    from nightreel.models.solve import sampling
    from nightreel.models.solve.chain import Chain

    made: list[Chain] = []
    sample, sweep = sampling.sample, Chain.sweep

    def with_checkpoint(chain: Chain, names: Any, params: Any) -> Any:
        made.append(chain)
        return sample(chain, names, params, tmp_path / "chain.npz", resume=True)

    def killed_at_27(chain: Chain) -> None:
        if chain.sweeps == 26:
            raise KeyboardInterrupt
        sweep(chain)

    ratings = replace(planted.train, rating=planted.train.rating - np.float32(3.0))
    params = bayes(sweeps=40).params
    monkeypatch.setattr(sampling, "sample", with_checkpoint)
    whole = sample_in_memory(ratings, params, seed=4)
    assert not (tmp_path / "chain.npz").exists()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Chain, "sweep", killed_at_27)
        sample_in_memory(ratings, params, seed=4)
    assert (tmp_path / "chain.npz").exists()
    resumed = sample_in_memory(ratings, params, seed=4)
    assert (resumed.users == whole.users).all()
    assert (resumed.item_bias == whole.item_bias).all()
    assert resumed.noise == whole.noise
    assert made[-1].sweeps == 40


def test_the_score_is_the_mean_of_the_samples_and_its_error_their_spread() -> None:
    users, items = RANDOM.normal(size=(2, 3, 1, 2)).astype(np.float64)  # of three samples one row each, of rank 2
    samples = Samples(3, Unknown(0.0, (0.0,) * 10), Unknown(0.0, (0.0,) * 10))
    both = [
        laid_side_by_side(list(side), np.array([deviation]), np.array([noise]), users=users_side)
        for side, deviation, noise, users_side in ((users, 0.3, 2.0, True), (items, 0.4, 0.5, False))
    ]
    scores = (users * items).sum(axis=2)[:, 0]
    assert both[0] @ both[1].T == pytest.approx(scores.mean(), abs=1e-5)
    expected = np.sqrt(scores.var() + 0.3**2 + 0.4**2 + (2.0 * 0.5) ** 2)
    assert samples.deviation(*both) == pytest.approx(expected, abs=1e-4)


def test_a_user_is_added_around_the_one_without_ratings() -> None:
    vectors, bias = RANDOM.normal(size=(5, 2)), RANDOM.normal(size=5)
    items = Side.of(np.full(5, 3.0, np.float32), bias=bias, factors=vectors)
    vectors, bias = items.factors.astype(np.float64), items.bias.astype(np.float64)
    start = Unknown(0.5, (0.1, -0.2))
    fixed = FixedItems(FoldIn("prior", reg=0.7, bias_reg=1.4), items, mean=3.0, around=start)
    rated, ratings = np.array([0, 3, 4]), np.array([4.0, 2.0, 5.0])
    folded = fixed.fold(rated, ratings)
    design = np.column_stack([vectors[rated], np.ones(3)])
    rest = ratings - 3.0 - bias[rated] - 0.5 - vectors[rated] @ start.vector
    change = np.linalg.solve(design.T @ design + np.diag([0.7, 0.7, 1.4]), design.T @ rest)
    assert folded.vector == pytest.approx(start.vector + change[:2])
    assert folded.bias == pytest.approx(0.5 + change[2])
    nobody = fixed.fold(np.array([], np.int32), np.array([]))
    assert (nobody.bias, tuple(nobody.vector)) == (0.5, start.vector)


def test_what_cannot_be_sampled_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"samples = 50: must be at most sweeps - burn_in, 40"):
        bayes(samples=50)
    with pytest.raises(DataError, match=r"^model bayes_mf: 30,000 users and 40,000 items.*bayes_mf\.links=false"):
        check_links(30_000, 40_000)
