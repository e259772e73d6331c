"""The way in from Python: from ratings in a file or a frame to a trained model and its answers."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path

import pandas as pd
from pyspark.sql import DataFrame

from nightreel import nightly, sources
from nightreel.ask.store import Store, open_store
from nightreel.errors import ConfigurationError
from nightreel.job import Job, Summary, start
from nightreel.models import HYPERPARAMETERS
from nightreel.nightly.night import check_models, run_night
from nightreel.session import spark_session
from nightreel.settings import DataSettings, Settings, load
from nightreel.sources.own.files import Kind, columns_of, find_data, kind_of
from nightreel.sources.recognise import recognise
from nightreel.tables.catalog import snapshot_of

Frame = pd.DataFrame | DataFrame
_NAMES = {
    "user": ("user_id", "userId", "user", "customer_id", "customer", "UserID"),
    "item": ("item_id", "itemId", "item", "movie_id", "movieId", "film", "product_id", "MovieID"),
    "rating": ("rating", "score", "stars", "Rating"),
    "title": ("title", "name", "Title"),
}
"""Names that a column goes by; the first that is there is taken."""
_LIKED_FROM = 0.75
"""Place on the scale from which a rating counts as liked."""


class Project:
    """One dataset's steps and answers. The steps are those of the jobs; each returns what the job's summary tells.

    A step runs those it needs that have not run: `train` ingests and prepares first. The tables stay, so another
    session goes on with them.

    Parameters
    ----------
    settings : in the jobs' form, `section.key=value`
    """

    def __init__(self, settings: Sequence[str], *, env: str = "local", run_date: date | None = None) -> None:
        date_of_run = run_date or datetime.now(UTC).date()
        self._flags = argparse.Namespace(env=env, set=[*settings], remote=None, run_date=date_of_run, again=False)
        self.settings: Settings = sources.configured(env, self._flags.set, models=HYPERPARAMETERS)

    @cached_property
    def job(self) -> Job:
        """What the functions of `nightreel.nightly` take; it starts Spark."""
        return start(self.settings, self._flags)

    @property
    def store(self) -> Store:
        """Answers from the tables as they are now: recommend, rate, similar, explain and more."""
        tables = self.settings.tables
        return (
            Store(snapshot_of(self.job.tables, tables)) if tables.catalog else open_store(tables.root, tables.dataset)
        )

    def ingest(self) -> Summary:
        """Raw files to bronze tables; only what is new is read."""
        sources.check(self.settings)
        return nightly.ingest(self.job)

    def prepare(self) -> Summary:
        """Bronze to silver tables."""
        if not self.job.tables.exists("bronze_ratings"):
            self.ingest()
        return nightly.prepare(self.job)

    def train(self, *models: str) -> Summary:
        """Train the models, by their names; with the same data and hyperparameters, a finished run is kept."""
        if not self.job.tables.exists("silver_interactions"):
            self.prepare()
        return nightly.train(self.job, models, resume=True)

    def evaluate(self, *models: str) -> Summary:
        """Measure the newest run of each model on the held-out rows; `store.metrics()` has the figures."""
        return nightly.evaluate(self.job, nightly.chosen_runs(self.job, models=models, run_ids=()))

    def recommend(self, model: str | None = None) -> Summary:
        """Write the lists of all users and the similar items, by the model, or the one with the best nDCG."""
        return nightly.recommend(self.job, nightly.chosen_run(self.job, model=model))

    def compare(self, *models: str, grid: Sequence[str] = ()) -> pd.DataFrame:
        """Cross-validate the models (by default those of compare.models): a row a candidate, the best first.

        Columns as Comparison.leaderboard has them, of compare.metric, RMSE and recall.
        """
        wanted = nightly.check_comparison(self.settings, models=models, grid=grid)
        if not self.job.tables.exists("silver_interactions"):
            self.prepare()
        shown = ("rmse", f"recall@{self.settings.evaluate.k[0]}")
        return nightly.comparison(self.job, wanted)[1].leaderboard(shown)

    def night(self) -> Summary:
        """All steps but compare, with the models of nightly.models."""
        check_models(self.settings)
        sources.check(self.settings)
        return run_night(self.job)

    def stop(self) -> None:
        """End the Spark session, if this project started it."""
        if "job" in vars(self):
            if self.job.owns_session:
                spark_session.close(self.job.spark)
            del self.job


def local(
    ratings: str | Path | Frame,
    *,
    user: str | None = None,
    item: str | None = None,
    rating: str | None = None,
    time: str | None = None,
    items: str | Path | Frame | None = None,
    title: str | None = None,
    scale: tuple[float, float] | None = None,
    tables: str | Path = "nightreel-tables",
    settings: Sequence[str] = (),
) -> Project:
    """A project on your own ratings, on this machine.

    Parameters
    ----------
    ratings : a CSV, JSON lines or Parquet file (or folder), or a pandas or Spark DataFrame; or the folder or zip of
        MovieLens, KMRD or the Netflix Prize as published, of which nothing else has to be said
    user, item, rating, time : its columns; by default found by common names; no time unless named
    items, title : the items' titles: a file or frame with the same item column, and its title column
    scale : the lowest and the highest rating; by default those that occur
    tables : the folder of the Delta tables
    settings : further settings, `section.key=value`, as the jobs take them. All users and items are kept unless
        they say otherwise

    Raises
    ------
    ConfigurationError : a column is not there, or a setting is wrong
    """
    root = Path(tables)
    everything = ["filter.min_ratings_per_user=0", "filter.min_ratings_per_item=0", f"tables.root={root}"]
    if isinstance(ratings, str | Path) and _is_published(Path(ratings)):
        return Project([*everything, "data.source=auto", f"data.path={ratings}", *settings])
    data = load("local", ["data.source=own", *settings], models=HYPERPARAMETERS).data
    path, columns = _as_file(ratings, root / ".raw" / "ratings.parquet", data)
    chosen = {"user": _column("user", user, columns), "item": _column("item", item, columns)}
    chosen["rating"] = _column("rating", rating, columns)
    if time is not None:
        chosen["time"] = _column("time", time, columns)
    lowest, highest = scale or _extremes(path, chosen["rating"], data)
    given = ["data.source=own", f"data.path={path}", *(f"data.columns.{name}={of}" for name, of in chosen.items())]
    given += [f"scale.lowest={lowest}", f"scale.highest={highest}", *_liked(lowest + _LIKED_FROM * (highest - lowest))]
    if items is not None:
        where, there = _as_file(items, root / ".raw" / "items.parquet", data)
        named = {"item": chosen["item"] if item is None else item, "title": _column("title", title, there)}
        given += [f"data.items={where}", *(f"data.item_columns.{name}={of}" for name, of in named.items())]
    return Project([*everything, *given, *settings])


def _liked(rating: float) -> list[str]:
    """The settings by which ratings from this one on count as liked, in metrics and in models that look at it."""
    models = (name for name, section in HYPERPARAMETERS.items() if "min_rating" in section.model_fields)
    keys = ["evaluate.relevant_from", *(f"models.{name}.min_rating" for name in models if name != "popular")]
    return [f"{key}={rating}" for key in [*keys, "models.neumf.network.min_rating"]]


def _is_published(path: Path) -> bool:
    try:
        return bool(recognise([str(path)]))
    except ConfigurationError:
        return False


def _as_file(given: str | Path | Frame, copy: Path, data: DataSettings) -> tuple[Path, Sequence[str]]:
    """Where the data lies, a frame in a copy of its own, and the names of its columns."""
    if isinstance(given, str | Path):
        path = Path(given)
        found = find_data([str(path)], setting="nightreel.local")
        return path, [*(columns_of(found[0], data) or ())]
    copy.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(given, pd.DataFrame):
        given.to_parquet(copy, index=False)
    else:
        given.write.mode("overwrite").parquet(str(copy))
    return copy, list(given.columns)


def _column(what: str, named: str | None, columns: Sequence[str]) -> str:
    wanted = _NAMES.get(what, ()) if named is None else (named,)
    found = next((name for name in wanted if name in columns), None)
    if found is None:
        said = f"no column {named}" if named else f"no column that looks like the {what}: name it by {what}="
        raise ConfigurationError(f"{said}; there are: {', '.join(columns)}")
    return found


def _extremes(path: Path, column: str, data: DataSettings) -> tuple[float, float]:
    """The lowest and the highest rating there is."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.csv
    import pyarrow.dataset as ds

    kinds = {kind_of(file) for file in find_data([str(path)], setting="nightreel.local")}
    formats = {Kind.CSV: ds.CsvFileFormat(pa.csv.ParseOptions(delimiter=data.separator[0])), Kind.JSON: "json"}
    try:
        read = ds.dataset(path, format=formats.get(kinds.pop(), "parquet")).to_table([column])
        extremes = pc.min_max(pc.cast(read[column], "float64")).as_py()
    except (pa.ArrowException, OSError) as error:
        why = " ".join(str(error).split())[:200]
        raise ConfigurationError(
            f"{path}: column {column} cannot be read as numbers: name its scale= ({why})"
        ) from None
    return extremes["min"], extremes["max"]
