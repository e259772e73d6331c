"""Hyperparameters chosen on validation rows: a small space around the defaults, halved from rung to rung."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from nightreel.errors import ConfigurationError
from nightreel.evaluate.cells import Cell, Measures, in_memory
from nightreel.evaluate.comparison import Candidate, candidates, label_of, lower_is_better, with_params
from nightreel.models.engine.one_task import FitsArrays
from nightreel.models.forms.arrays import Lists
from nightreel.settings import Settings
from nightreel.settings.sections import Section

RUNGS = ((0.25, 16), (0.5, 6), (1.0, 3))
"""Share of the users that are asked, and how many settings are tried on them: the best go on to the next rung."""

_FACTORS = {float: (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 10.0), int: (0.25, 0.5, 1.0, 2.0)}
_FIXED = frozenset(
    {"min_rating", "below", "tasks", "blocks", "checkpoint_interval", "seed", "depth", "min_k", "min_support"}
)
"""What says what the data means, or where work is done, is not tuned."""


class Tuned(NamedTuple):
    """The best setting, its value of the metric, and what the last rung was measured on.

    tried : label and value of the settings of the last rung, the best first
    """

    values: Mapping[str, Any]
    tried: Sequence[tuple[str, float]]
    rows: int


def space(params: Section) -> dict[str, list[Any]]:
    """For each number among the hyperparameters, multiples of its default."""
    found: dict[str, list[Any]] = {}
    for key, value in params.model_dump().items():
        if key in _FIXED or isinstance(value, bool) or type(value) not in _FACTORS or not value:
            continue
        multiples = [
            type(value)(max(1, round(value * f)) if isinstance(value, int) else value * f)
            for f in _FACTORS[type(value)]
        ]
        found[key] = sorted(set(multiples))
    return found


def tune(
    rows: DataFrame, model: str, settings: Settings, measures: Measures, *, item_text: Lists | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Tuned:  # fmt: skip
    """Successive halving (Jamieson and Talwalkar, AISTATS 2016) of the default and of drawn settings.

    Parameters
    ----------
    rows : grain user x item; columns user_idx, item_idx, rating, split: trained on "train", chosen by "validation"

    Raises
    ------
    ConfigurationError : a model without numbers to tune or that does not train in memory, no validation rows, too many
        rows, or every setting failed
    """
    [default] = candidates(settings, models=[model])
    choices = space(default.algorithm.params)
    if not isinstance(default.algorithm, FitsArrays) or not choices:
        raise ConfigurationError(f"--tune {model}: has no numbers to tune, or does not train in memory")
    used = rows.where("split IN ('train', 'validation')")
    fold = F.when(F.col("split") == "validation", F.lit(0)).otherwise(F.lit(-1)).cast("int")
    used = used.select("user_idx", "item_idx", "rating", fold.alias("fold"))
    total, held_out = used.agg(F.count("*"), F.count_if(F.col("fold") == 0)).collect()[0]
    if not held_out:
        raise ConfigurationError(
            f"--tune {model}: there are no validation rows; split.validation_share decides how many"
        )
    if total > settings.compare.in_memory_rows:
        raise ConfigurationError(
            f"--tune {model}: {total:,} rows, more than compare.in_memory_rows = {settings.compare.in_memory_rows:,}"
        )
    sign = 1 if lower_is_better(settings.compare.metric) else -1
    entrants = [default, *_drawn(default, choices, RUNGS[0][1] - 1, seed=measures.seed)]
    ranked: list[tuple[float, Candidate]] = []
    for share, many in RUNGS:
        sampled = used.where(F.pmod(F.xxhash64("user_idx"), F.lit(100)) < F.lit(round(100 * share)))
        wanted = [(0, candidate) for candidate in entrants[:many]]
        cells = list(in_memory(sampled, wanted, measures, workers=settings.compare.workers, item_text=item_text))
        ranked = sorted(_values(cells, settings.compare.metric), key=lambda one: (sign * one[0], one[1].label))
        if not ranked:
            errors = {cell.error for cell in cells if cell.error} or {f"no {settings.compare.metric}"}
            raise ConfigurationError(f"--tune {model}: no setting could be measured: {sorted(errors)[0]}")
        for value, candidate in ranked:
            say(f"{share:.0%} of the users: {candidate.label}: {settings.compare.metric} {value:.4f}")
        entrants = [candidate for _, candidate in ranked]
    best = ranked[0][1].algorithm.params.model_dump()
    tried = [(candidate.label, value) for value, candidate in ranked]
    return Tuned({key: best[key] for key in choices}, tried, held_out)


def fragment(model: str, tuned: Tuned, *, metric: str, dataset: str) -> str:
    """What chose the values, as comments, and the values, as TOML to be put into conf/."""
    lines = [f"# Chosen by `compare --tune {model}`: {metric} on {tuned.rows:,} validation rows of {dataset}."]
    lines += [f"#   {value:.4f}  {label}" for label, value in tuned.tried]
    return "\n".join([*lines, f"[models.{model}]", *(f"{key} = {value}" for key, value in tuned.values.items())]) + "\n"


def _drawn(default: Candidate, choices: Mapping[str, Sequence[Any]], many: int, *, seed: int) -> list[Candidate]:
    """Different settings, drawn from the space."""
    random = np.random.default_rng(seed)
    size = int(np.prod([len(values) for values in choices.values()], dtype=float))
    found: dict[str, Candidate] = {}
    for _ in range(20 * many):
        if len(found) >= min(many, size - 1):
            break
        values = {key: options[int(random.integers(len(options)))] for key, options in choices.items()}
        label = label_of(default.model, values)
        found[label] = Candidate(label, default.model, with_params(default.algorithm, values), default.members)
    return list(found.values())


def _values(cells: Sequence[Cell], metric: str) -> list[tuple[float, Candidate]]:
    return [(cell.metrics[metric][0], cell.candidate) for cell in cells if metric in cell.metrics]
