"""The comparison's figures by hand, its grids and what is refused, and that a fold's rows are never trained on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from nightreel.errors import ConfigurationError
from nightreel.evaluate.array_metrics import ranking_metrics, sampled_metrics
from nightreel.evaluate.cells import Measures, measure_arrays
from nightreel.evaluate.comparison import candidates, standings
from nightreel.evaluate.cross_validation import Comparison, as_frame, check_metric
from nightreel.evaluate.win_rate import win_rates
from nightreel.models import HYPERPARAMETERS
from nightreel.models.engine.catalogue import Ranked
from nightreel.models.forms.arrays import Lists, Ratings
from nightreel.settings import Settings, load

NEIGHBOURS = ("user_knn", "item_knn", "slope_one", "user_cosine", "item_cosine", "ease")


def settings(*overrides: str) -> Settings:
    return load("local", list(overrides), models=HYPERPARAMETERS)


def results(values: dict[str, list[float]], metric: str = "rmse") -> pd.DataFrame:
    rows = [
        {"fold": fold, "candidate": name, "metric": metric, "value": value, "fit_seconds": 2.0, "predict_seconds": 1.0}
        for name, of_folds in values.items()
        for fold, value in enumerate(of_folds)
    ]
    return pd.DataFrame(rows).assign(peak_bytes=np.nan, error=None)


def test_standings_are_paired_by_fold() -> None:
    """b is behind by 1 and 3: on average 2, with standard error sqrt(2) / sqrt(2)."""
    best, second = standings(results({"b": [2.0, 6.0], "a": [1.0, 3.0]}), "rmse")
    assert (best.label, best.mean, best.behind, best.error) == ("a", 2.0, 0.0, 0.0)
    assert (second.label, second.mean, second.behind) == ("b", 4.0, 2.0)
    assert second.error == pytest.approx(1.0)
    assert second.std == pytest.approx(np.std([2.0, 6.0], ddof=1))


def test_of_lists_the_highest_is_best() -> None:
    first, second = standings(results({"low": [0.1, 0.2], "high": [0.3, 0.3]}, "ndcg@10"), "ndcg@10")
    assert (first.label, second.label, second.behind) == ("high", "low", pytest.approx(0.15))


def test_one_fold_has_no_error() -> None:
    first, second = standings(results({"a": [1.0], "b": [2.0]}), "rmse")
    assert np.isnan(second.error) and first.std == 0.0


def test_a_leaderboard_holds_those_that_failed() -> None:
    frame = results({"a": [1.0]})
    failed = {"fold": 0, "candidate": "broken", "metric": None, "value": np.nan, "error": "DataError: planted"}
    board = Comparison(pd.concat([frame, pd.DataFrame([failed])]), "rmse").leaderboard()
    assert board.candidate.tolist() == ["a", "broken"]
    assert board.error.tolist()[1] == "DataError: planted"


def test_a_grid_is_all_combinations_of_typed_values() -> None:
    found = candidates(settings(), models=["popular"], grid=["popular.min_rating=3,4"])
    assert [one.label for one in found] == ["popular min_rating=3", "popular min_rating=4"]
    both = candidates(settings(), grid=["als.rank=2,4", "als.baseline.user_reg=1.5"], models=["als"])
    assert [one.label for one in both] == ["als rank=2 baseline.user_reg=1.5", "als rank=4 baseline.user_reg=1.5"]
    assert both[1].algorithm.params.baseline.user_reg == 1.5


@pytest.mark.parametrize(
    ("grid", "complaint"),
    [
        ("als.rnk=2", r"^--grid als.rnk: unknown key; did you mean rank\? known here: baseline, blocks, .*rank"),
        ("als.rank=0", r"^--grid als.rank: input should be greater than or equal to 1"),
        ("als.rank=two", r"^--grid als.rank: input should be a valid integer"),
        ("als", r"^--grid als: must have the form model.key=value,value,...$"),
        ("alz.rank=2", r"^model alz: unknown; did you mean als\? known: random, "),
        ("svd.rank=2", r"^--grid svd: the model is not compared; add --model svd$"),
    ],
)
def test_what_a_grid_gets_wrong_is_one_line(grid: str, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        candidates(settings(), models=["als"], grid=[grid])


def test_a_metric_must_be_measured_here() -> None:
    chosen = settings()
    of_ratings = Measures(chosen.evaluate, chosen.scale, 0)
    check_metric("ndcg@10", of_ratings)
    with pytest.raises(ConfigurationError, match=r"^compare.metric = ndcg@7: unknown; measured here: rmse, .*ndcg@10"):
        check_metric("ndcg@7", of_ratings)
    with pytest.raises(ConfigurationError, match=r"^compare.metric = rmse: needs ratings, and the data holds events$"):
        check_metric("rmse", Measures(chosen.evaluate, chosen.scale, 0, rates=False))


def columns() -> dict[str, Any]:
    random = np.random.default_rng(2)
    users, items = np.divmod(np.flatnonzero(random.random(30 * 12) < 0.6), 12)
    rating = np.where(users % 2 == items % 2, 5.0, 2.0).astype(np.float32)
    return {"user_idx": users, "item_idx": items, "rating": rating, "fold": np.arange(len(users)) % 3}


@pytest.mark.parametrize("model", NEIGHBOURS)
def test_neighbours_do_not_see_the_rows_they_are_measured_on(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the fold's ratings turned round, the same predictions and lists: what is held out goes in nowhere."""
    chosen = settings()
    [candidate] = candidates(chosen, models=[model])
    measures = Measures(chosen.evaluate, chosen.scale, 0)
    given, turned = columns(), columns()
    here = turned["fold"] == 1
    turned["rating"] = np.where(here, 7.0 - turned["rating"], turned["rating"]).astype(np.float32)
    answers: list[Any] = []
    fit = type(candidate.algorithm).fit_arrays

    def spied(self: Any, *args: Any, **kwargs: Any) -> Any:
        trained = fit(self, *args, **kwargs)
        users, items = given["user_idx"][here], given["item_idx"][here]
        if "predict" in trained.capabilities:
            answers.append(trained.predict(users, items).prediction.tolist())
        else:
            lists = trained.recommend(np.arange(30), n=5, seen=trained.ratings.by_user)
            answers.append((lists.item_idx.tolist(), lists.score.tolist()))
        return trained

    monkeypatch.setattr(type(candidate.algorithm), "fit_arrays", spied)
    right, wrong = (measure_arrays(1, candidate, rows, measures) for rows in (given, turned))
    assert right.error is None and wrong.error is None
    assert answers[0] == answers[1]
    assert right.metrics != wrong.metrics


def test_a_cell_that_fails_keeps_its_error() -> None:
    chosen = settings("models.popular.min_rating=1.0")
    [candidate] = candidates(chosen, models=["content"])  # there is no text
    cell = measure_arrays(0, candidate, columns(), Measures(chosen.evaluate, chosen.scale, 0))
    frame = as_frame([cell])
    assert frame.error.tolist() == [
        "DataError: model content: needs the items' text, and there is none; prepare writes it"
    ]
    assert frame.metric.isna().all()


def test_the_win_rate_is_the_share_of_loved_items_that_stand_higher() -> None:
    """Everyone loves even items: funk_svd learns it; random does not; each over the other is the rest of 1."""
    random = np.random.default_rng(4)
    users, items = np.divmod(np.flatnonzero(random.random(12 * 150) < 0.9), 150)
    rating = np.where(items % 2 == 0, 5.0, 2.0)
    chosen = settings()
    found = win_rates(
        Ratings.of(users, items, rating),
        candidates(chosen, models=["baseline", "random", "popular"]),
        Measures(chosen.evaluate, chosen.scale, 0),
    )
    assert found.loc["baseline", "random"] > 0.7
    assert found.loc["baseline", "random"] + found.loc["random", "baseline"] == pytest.approx(1.0)
    assert np.isnan(found.loc["popular", "popular"])
    with pytest.raises(ConfigurationError, match=r"^--win-rate: no user has 100 ratings, 5 of them of at least "):
        win_rates(Ratings.of(users[:50], items[:50], rating[:50]), [], Measures(chosen.evaluate, chosen.scale, 0))


def test_sampled_metrics_rank_among_drawn_items() -> None:
    """A user's relevant item stands third of five, the other two above it: of two negatives 0, 1 or 2 are above."""
    ranked = Ranked(
        np.zeros(5, np.int64), np.arange(1, 6), np.array([4, 3, 2, 1, 0], np.int32), np.zeros(5, np.float32)
    )
    relevant = Lists(np.array([0, 1]), np.array([2], np.int32), np.ones(1, np.float32))
    found = sampled_metrics(ranked, relevant, ks=(1, 3), n_items=5, negatives=2, seed=0)
    assert found["sampled_hit_rate@3"] == (1.0, 1)  # never below third of three
    many = sampled_metrics(ranked, relevant, ks=(1,), n_items=5, negatives=200, seed=0)
    assert many["sampled_hit_rate@1"] == (0.0, 1)
    full = ranking_metrics(ranked, relevant, ks=(3,), popularity=np.ones(5, np.int64), training_users=1)
    assert full["ndcg@3"][0] == pytest.approx(0.5) and full["mrr@3"][0] == pytest.approx(1 / 3)
