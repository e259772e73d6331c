"""Names and hyperparameters: what is refused, and in which words."""

from __future__ import annotations

import pytest

from nightreel.errors import ConfigurationError
from nightreel.models import HYPERPARAMETERS, check, create
from nightreel.settings import Settings, load, read_layers


def settings(*overrides: str) -> Settings:
    return load("local", overrides, models=HYPERPARAMETERS)


def test_every_model_has_its_hyperparameters_in_the_configuration() -> None:
    assert set(read_layers("local").values["models"]) == set(HYPERPARAMETERS)
    check(HYPERPARAMETERS, settings())


def test_an_unknown_model_is_told_the_known_ones() -> None:
    with pytest.raises(
        ConfigurationError,
        match=r"^model svdpp: unknown; did you mean svd_pp\? known: random, .*als_implicit, .*hybrid, .*blend_lists$",
    ):
        create("svdpp", settings())


@pytest.mark.parametrize(
    ("override", "complaint"),
    [
        (
            "models.als.rnak=3",
            r"models\.als\.rnak \(--set\): unknown key; did you mean rank\? known here: baseline, blocks, .*residuals",
        ),
        ("models.als.rank=0", r"models\.als\.rank = 0 \(--set\): input should be greater than or equal to 1"),
        ("models.als.rank=many", r"models\.als\.rank = 'many' \(--set\): input should be a valid integer"),
        ("models.als.baseline.user_reg=-1.0", r"models\.als\.baseline\.user_reg = -1\.0 \(--set\): .* equal to 0"),
        ("models.als.nonnegative=true", r"\[models\.als\] \(.*\): nonnegative = true needs residuals = false"),
        ("models.als_implicit.confidence=clicks", r"models\.als_implicit\.confidence = 'clicks' \(--set\): .*'rating'"),
        (
            "models.als_implicit={confidence = 'rating', min_rating = 0.0}",
            r"\[models\.als_implicit\] .*: confidence = \"rating\" needs min_rating",
        ),
        ("models.weighted_mean.prior_weight=-1.0", r"models\.weighted_mean\.prior_weight = -1\.0 \(--set\): "),
        ("models.user_mean.rank=3", r"models\.user_mean\.rank \(--set\): unknown key"),
        ("models.asl.rank=3", r"\[models\.asl\] \(--set\): unknown model; did you mean als\? known: random, "),
    ],
)
def test_a_wrong_hyperparameter_is_one_line_that_names_the_key(override: str, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{complaint}") as raised:
        settings(override)
    assert "\n" not in str(raised.value)


def test_hyperparameters_of_an_unknown_model_are_refused_though_no_one_trains_it() -> None:
    with pytest.raises(ConfigurationError, match="unknown model"):
        check(["popular"], settings("models.asl.rank=3"))
