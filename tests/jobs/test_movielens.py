"""Real ratings, MovieLens latest-small: from the files to the metrics, and to answers for people."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, sync_playwright
from pyspark.sql import SparkSession
from tests.jobs.conftest import run_here, settings_in

from nightreel import Store, open_store
from nightreel.cli import main
from nightreel.errors import CapabilityError, ConfigurationError
from nightreel.settings import load
from nightreel.tables.tables import Tables

MEANS = ("user_mean", "item_mean", "mean_of_means", "weighted_mean")
RATERS = (*MEANS, "baseline", "als")
RANKERS = ("popular", "als_implicit", "ease", "blend_lists", "user_cosine", "item_knn")
FAVOURITES = ("Star Wars: Episode IV", "Terminator 2", "Sixth Sense", "Forrest Gump", "Matrix")
LIKEWISE = ("Empire Strikes Back", "Return of the Jedi", "Jurassic Park", "Silence of the Lambs", "Terminator, The")


@pytest.fixture(scope="module")
def root(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, real_data: Path) -> Path:
    folder = tmp_path_factory.mktemp("movielens")
    settings = settings_in(
        folder,
        real_data / "ml-latest-small",
        data__source="movielens",
        filter__min_ratings_per_user="0",
        filter__min_ratings_per_item="0",
        split__validation_share="0.0",
        models__als__blocks="2",
    )
    raters, all_models = (
        [word for name in names for word in ("--model", name)] for names in (RATERS, (*RATERS, *RANKERS))
    )
    jobs = (["ingest"], ["prepare"], ["train", *all_models], ["evaluate", *raters], ["recommend", "--model", "ease"])
    for job in jobs:
        ended = run_here(*job, *settings)
        assert ended.code == 0, ended.err
    return folder / "tables"


@pytest.fixture(scope="module")
def store(root: Path) -> Store:
    return open_store(str(root))


def test_als_is_below_the_baseline_and_the_baseline_below_every_mean(spark: SparkSession, root: Path) -> None:
    chosen = load("local", ["data.source=movielens", f"tables.root={root}"])
    tables = Tables(spark, chosen.tables)
    assert tables.read("bronze_ratings").count() == 100_836
    assert tables.read("bronze_quarantine").count() == 0
    assert tables.read("bronze_items").count() == 9_742
    assert tables.read("silver_items").count() == 9_724
    rmse = {row["model"]: row["value"] for row in tables.read("gold_metrics").where("metric = 'rmse'").collect()}
    assert rmse["als"] < rmse["baseline"] < min(rmse[name] for name in MEANS)
    assert 0.82 < rmse["als"] < 0.88


@pytest.mark.parametrize("model", ["ease", "als_implicit", "blend_lists"])
def test_five_favourites_give_what_goes_with_them(store: Store, model: str) -> None:
    answer = store.rate(like=FAVOURITES, n=20, model=model)
    titles = [one.title for one in answer.suggestions]
    assert sum(any(wanted in title for title in titles) for wanted in LIKEWISE) >= 3
    assert not any(favourite in title for favourite in FAVOURITES for title in titles[:1])
    assert all(set(one.why) for one in answer.suggestions[:5])


@pytest.mark.parametrize("model", ["ease", "als_implicit"])
def test_what_is_like_forrest_gump_has_been_seen_by_many(store: Store, model: str) -> None:
    near = store.similar("Forrest Gump", model=model)
    assert len(near) == 10
    assert min(one.n_ratings for one in near) >= 30
    assert [one.similarity for one in near] == sorted((one.similarity for one in near), reverse=True)


def test_forrest_gump_is_explained_by_its_neighbours_in_taste(store: Store) -> None:
    why = store.explain(1, "Forrest Gump", model="ease")
    neighbours = {one.title for one in store.similar("Forrest Gump", n=50, model="ease")}
    assert len({reason.title for reason in why.reasons[:5]} & neighbours) >= 4
    assert why.base + sum(reason.amount for reason in why.reasons) + why.rest == pytest.approx(why.score)
    exact = store.explain(1, "Forrest Gump", model="als")
    assert exact.how.startswith("the closed form")
    assert abs(exact.rest) < 1e-4
    assert {reason.title for reason in exact.reasons} >= {reason.title for reason in why.reasons}


def test_the_store_answers_as_spark_does(spark: SparkSession, store: Store, root: Path) -> None:
    """The published list is the one that the loaded run makes for the user in memory."""
    published = store.recommend(15)
    assert published.model == "ease"
    tables = Tables(spark, load("local", ["data.source=movielens", f"tables.root={root}"]).tables)
    rows = tables.read("gold_recommendations").where("user_id = 15").orderBy("rank").collect()
    assert [(one.rank, one.item_id) for one in published.suggestions] == [(row["rank"], row["item_id"]) for row in rows]
    made_now = store.recommend(15, model="ease")
    assert [one.item_id for one in made_now.suggestions] == [row["item_id"] for row in rows]
    assert [one.score for one in made_now.suggestions] == pytest.approx([row["score"] for row in rows], abs=1e-5)


@pytest.mark.parametrize("model", [*RATERS[1:], "popular", "als_implicit", "user_cosine"])
def test_every_ranker_answers_a_trained_user(store: Store, model: str) -> None:
    answer = store.recommend(15, model=model, n=12)
    assert answer.model == model
    assert [one.rank for one in answer.suggestions] == list(range(1, 13))
    scores = [one.score for one in answer.suggestions]
    assert scores == sorted(scores, reverse=True)


def command(root: Path, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main([*words, "--tables", str(root)])
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["recommend", "15"], "because of"),
        (["similar", "forest gump"], "similar to Forrest Gump (1994)"),
        (["explain", "15", "Forrest Gump", "--model", "als"], "The closed form"),
        (["rate", "--like", "Matrix", "--dislike", "Toy Story (1995)"], "for somebody new"),
        (["popular", "-n", "3"], "Forrest Gump (1994)"),
        (["best", "--prior", "50"], "Shawshank Redemption, The (1994)"),
        (["search", "toy story"], "Toy Story 2 (1999)"),
        (["runs"], "als_implicit"),
        (["metrics", "--model", "als"], "rmse"),
        (["tables"], "silver_interactions"),
    ],
)
def test_each_command_shows_a_table_and_prints_json(
    root: Path, capsys: pytest.CaptureFixture[str], words: list[str], shown: str
) -> None:
    code, out, err = command(root, capsys, *words)
    assert (code, err) == (0, "")
    assert shown in out
    code, out, _ = command(root, capsys, *words, "--json")
    found: Any = json.loads(out)
    assert code == 0 and found


def test_ratings_of_somebody_new_come_from_a_file(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.csv"
    file.write_text('title,rating\n"Matrix, The (1999)",5\n318,4.5\nToy Story (1995),1\n')
    code, out, _ = command(root, capsys, "rate", str(file), "--json")
    assert code == 0
    suggestions = json.loads(out)["suggestions"]
    assert len(suggestions) == 10
    assert not {2571, 318, 1} & {one["item_id"] for one in suggestions}
    file.write_text("Matrix,5\nToy Story (1995),many\n")
    code, _, err = command(root, capsys, "rate", str(file))
    assert code == 2
    assert f"{file}, line 2" in err and err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["recommend", "61000"], "user 61000: unknown, or has too few ratings; there are: 610"),
        (["recommend", "x"], "user x: unknown, or has too few ratings; there are: "),
        (["similar", "Batman"], "Batman: several titles fit: Batman (1989) [592], Batman (1966) [26152]; name one"),
        (["similar", "Redamption of Shawshank"], "Shawshank Redemption, The (1994) [318]"),
        (["recommend", "1", "--model", "nonesuch"], "no finished run of model nonesuch; there are: als, "),
        (["rate"], "nothing is rated: name at least one title that is liked"),
        (["rate", "--like", "Matrix", "2571"], "2571: is rated twice"),
        (["rate", "--like", "Matrix", "--model", "user_cosine"], "model user_cosine: the model cannot take users"),
        (["similar", "Matrix", "--model", "popular"], "model popular compares no items"),
        (["popular", "-n", "0"], "'0' is not a whole number of 1 or more"),
    ],
)
def test_what_is_unknown_is_one_line_with_the_nearest(
    root: Path, capsys: pytest.CaptureFixture[str], words: list[str], line: str
) -> None:
    code, out, err = command(root, capsys, *words)
    assert code in (1, 2) and out == ""
    assert line in err and err.count("\n") == 1


def test_python_raises_what_the_commands_say(store: Store, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"from 0\.5 to 5"):
        store.rate({"Matrix, The (1999)": 7.0})
    with pytest.raises(CapabilityError, match="model user_cosine"):
        store.explain(1, "Fargo", model="user_cosine")
    with pytest.raises(ConfigurationError, match="no such folder of tables"):
        open_store(str(tmp_path / "nothing"))
    with pytest.raises(ConfigurationError, match="holds no tables"):
        open_store(str(tmp_path))


@pytest.fixture(scope="module")
def page(root: Path, real_data: Path) -> Path:
    """By the job, after a comparison."""
    settings = settings_in(root.parent, real_data / "ml-latest-small", data__source="movielens")
    compared = [word for name in ("popular", "baseline") for word in ("--model", name)]
    assert run_here("compare", *settings, *compared, "--set", "compare.folds=2").code == 0
    written = root.parent / "report.html"
    ended = run_here("report", *settings, "--out", str(written))
    assert ended.code == 0, ended.err
    return written


def test_the_report_is_one_small_file_that_needs_no_network(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert page.stat().st_size < 6_000_000
    for shown in ("Ratings by value", "Which pairs are rated", "Leaderboard", "Predicted against given", "User "):
        assert shown in text
    without_plotly = text[text.index("</style>") :].partition("</script>")[2]
    assert 'src="http' not in without_plotly and "@import" not in without_plotly


def test_the_report_as_markdown_has_the_same_tables(root: Path, page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = page.with_suffix(".md")
    code, out, _ = command(root, capsys, "report", "--out", str(written))
    assert code == 0 and out.startswith(f"wrote {written}")
    text = written.read_text(encoding="utf-8")
    assert "| Shawshank Redemption, The (1994) [317] |" in text
    assert "## Models compared" in text and "| popular |" in text


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no browser: apt-get install chromium")
    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.mark.parametrize(
    ("width", "height", "scheme"), [(1280, 900, "light"), (390, 844, "dark")], ids=["desktop", "phone"]
)
def test_a_browser_draws_the_report(
    page: Path, browser: Browser, width: int, height: int, scheme: Literal["light", "dark"]
) -> None:
    """Offline: nothing is asked of a network, nothing goes wrong, nothing is wider than the window."""
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme, offline=True)
    tab, said, asked = context.new_page(), list[str](), list[str]()
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(page.as_uri())
    tab.wait_for_function("document.querySelectorAll('.js-plotly-plot .main-svg').length >= 28")  # plotly draws several
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    tab.get_by_label("a title").fill("Toy Story (1995)")
    similar = tab.locator("#similar li")
    assert similar.count() == 8
    assert "(19" in similar.first.inner_text()
    tab.get_by_label("a title").fill("no such title")
    assert similar.count() == 0
    assert said == []
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    context.close()


def test_what_a_report_cannot_be_written_to(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = command(root, capsys, "report", "--out", str(tmp_path / "none" / "report.md"))
    assert code == 2
    assert "cannot be written: No such file or directory" in err and err.count("\n") == 1
