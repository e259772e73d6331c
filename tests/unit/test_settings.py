"""Settings: later layers win, and every fault is one line naming the key, where it stands and what is allowed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nightreel.errors import ConfigurationError
from nightreel.models import HYPERPARAMETERS
from nightreel.settings import Settings, load, read_layers
from nightreel.settings.layers import conf_folder

CONF = Path(__file__).parents[2] / "conf"
BASE, MODELS = ((CONF / f"{name}.toml").read_text(encoding="utf-8") for name in ("base", "models"))


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """A conf/ of three files: the shipped base and models, and an environment that sets nothing."""
    (tmp_path / "base.toml").write_text(BASE, encoding="utf-8")
    (tmp_path / "models.toml").write_text(MODELS, encoding="utf-8")
    (tmp_path / "local.toml").write_text("", encoding="utf-8")
    return tmp_path


def complaint(*overrides: str, conf: Path | None = None, env: str = "local") -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(env, overrides, models=HYPERPARAMETERS, conf=conf)
    text = str(caught.value)
    assert "\n" not in text
    assert caught.value.exit_code == 2
    return text


def params(model: str, *overrides: str, conf: Path) -> Any:
    return load("local", overrides, models=HYPERPARAMETERS, conf=conf).models[model]


@pytest.mark.parametrize(
    "env", sorted(file.name.removesuffix(".toml") for file in Path(str(conf_folder())).glob("*.toml"))
)
def test_every_shipped_environment_is_valid(env: str) -> None:
    if env not in {"base", "models"}:
        assert isinstance(load(env), Settings)


def test_the_environment_stands_above_the_base_and_set_above_both(conf: Path) -> None:
    (conf / "local.toml").write_text("[filter]\nmin_ratings_per_user = 7\nmin_ratings_per_item = 8\n", encoding="utf-8")
    settings = load("local", ["filter.min_ratings_per_item=9"], conf=conf)
    assert settings.filter.min_ratings_per_user == 7
    assert settings.filter.min_ratings_per_item == 9
    assert settings.filter.user_quantile == 0.0


def test_a_sources_layer_stands_between_the_base_and_the_environment(conf: Path) -> None:
    (conf / "sources").mkdir()
    (conf / "sources" / "kmrd.toml").write_text("[scale]\nlowest = 2.0\nhighest = 10.0\n", encoding="utf-8")
    assert load("local", conf=conf).scale.highest == 5.0
    (conf / "local.toml").write_text('[data]\nsource = "kmrd"\n[scale]\nlowest = 3.0\n', encoding="utf-8")
    scale = load("local", conf=conf).scale
    assert (scale.lowest, scale.highest) == (3.0, 10.0)
    assert load("local", ["data.source=netflix"], conf=conf).scale.highest == 5.0


@pytest.mark.parametrize("source", ["netflix", "movielens", "kmrd", "own", "events"])
def test_every_shipped_source_is_valid(source: str) -> None:
    assert load("local", [f"data.source={source}"]).tables.dataset == source


def test_the_last_set_wins(conf: Path) -> None:
    assert load("local", ["train.seed=1", "train.seed=2"], conf=conf).train.seed == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("data.path=/raw/my files/*.txt", ("/raw/my files/*.txt",)),
        ("data.path=s3://bucket/a=b/part", ("s3://bucket/a=b/part",)),
        ('data.path=["/a", "/b"]', ("/a", "/b")),
        ('data.path="/a, b"', ("/a, b",)),
        ("data.path = /a ", ("/a",)),
        ("data.path=C:\\dump", ("C:\\dump",)),
    ],
)
def test_paths_need_no_quotes(conf: Path, text: str, expected: tuple[str, ...]) -> None:
    assert load("local", [text], conf=conf).data.path == expected


@pytest.mark.parametrize("text", ["2024", "true", "2024-01-31"])
def test_text_that_reads_as_something_else_needs_quotes(conf: Path, text: str) -> None:
    assert complaint(f"tables.root={text}", conf=conf).startswith(
        f"tables.root = {text} (--set): must be text, in quotes"
    )
    assert load("local", [f'tables.root="{text}"'], conf=conf).tables.root == text


def test_numbers_are_read_as_toml_reads_them(conf: Path) -> None:
    overrides = ["ingest.chunk_bytes=1_024", "ingest.max_reject_share=1e-3", "split.test_share=0", "evaluate.k=[5, 10]"]
    settings = load("local", overrides, conf=conf)
    assert settings.ingest.chunk_bytes == 1024
    assert settings.ingest.max_reject_share == 0.001
    assert settings.split.test_share == 0.0
    assert settings.evaluate.k == (5, 10)


def test_models_merge_key_by_key(conf: Path) -> None:
    als = params("als", "models.als.rank=4", conf=conf)
    assert (als.rank, als.reg) == (4, 0.15)


def test_a_networks_training_overrides_what_all_networks_have(conf: Path) -> None:
    overrides = ["training.epochs=3", "models.ncf.training.patience=5"]
    ncf, deep = (params(name, *overrides, conf=conf).training for name in ("ncf", "deep"))
    assert (ncf.epochs, ncf.patience, ncf.table_l2) == (3, 5, 0.05)
    assert (deep.epochs, deep.patience, deep.table_l2) == (3, 3, 0.02)


def test_the_baseline_below_als_is_the_baseline_unless_als_says_otherwise(conf: Path) -> None:
    overrides = ["models.baseline.user_reg=7.0", "models.als.baseline.iterations=9"]
    below = params("als", *overrides, conf=conf).baseline
    assert (below.user_reg, below.item_reg, below.iterations) == (7.0, 3.0, 9)
    assert params("baseline", *overrides, conf=conf).iterations == 5


def test_models_stay_empty_where_no_types_are_given(conf: Path) -> None:
    assert load("local", ["models.als.rank=many"], conf=conf).models == {}


def test_settings_cannot_be_changed_once_loaded(conf: Path) -> None:
    with pytest.raises(ValueError, match="frozen"):
        load("local", conf=conf).train.seed = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("override", "parts"),
    [
        ("filter.min_ratings_per_user=-3", ["filter.min_ratings_per_user = -3 (--set)", "greater than or equal to 0"]),
        ("filter.min_ratings_per_user=many", ["filter.min_ratings_per_user = 'many' (--set)", "valid integer"]),
        ("filter.min_ratings_per_user=2.5", ["filter.min_ratings_per_user = 2.5", "valid integer"]),
        ("filter.iterate=1", ["filter.iterate = 1", "valid boolean"]),
        (
            "filter.min_rating=3",
            [
                "filter.min_rating (--set): unknown key; did you mean min_ratings_per_",
                "? known here:",
                "min_ratings_per_user",
            ],
        ),
        ("filters.iterate=true", ["filters (--set): unknown key; did you mean filter? known here:", "filter"]),
        ("data.source=netflux", ["data.source = 'netflux'", "'netflix'"]),
        ("data.path=[]", ["data.path", "at least 1 item"]),
        ("data.ids=words", ["data.ids = 'words' (--set)", "'number' or 'text'"]),
        ("data.ids=text", ["[data] (--set)", 'ids = "text": the ids of source = "netflix" are numbers']),
        ("data.separator=:::::", ["data.separator = ':::::' (--set): must be a blank, a tab, or one to four signs"]),
        ("data.separator=x", ["data.separator = 'x' (--set): must be a blank, a tab, or one to four signs"]),
        ("data.escape=none", ["data.escape = 'none'", "'double' or 'backslash'"]),
        ("data.header=maybe", ["data.header = 'maybe'", "valid boolean"]),
        ("data.decimal=;", ["data.decimal = ';'", "'.' or ','"]),
        ("data.time_format=7", ["data.time_format = 7", "must be text"]),
        ("split.strategy=probe", ["[split]", 'needs probe = "<path of probe.txt>"']),
        ("split.test_share=1.0", ["split.test_share = 1.0", "less than 1"]),
        ("split.test_share=0.97", ["[split] (--set)", "test_share + validation_share must be below 1"]),
        ("scale.lowest=5.0", ["[scale] (--set)", "lowest must be below highest"]),
        ("tables.dataset=a-b", ["tables.dataset = 'a-b'", "pattern"]),
        ("evaluate.k=[0]", ["evaluate.k.0 = 0", "greater than or equal to 1"]),
        ("scale.lowest=nan", ["scale.lowest"]),
        ("models.als=4", ["models.als = 4 (--set)", "must be a table of keys"]),
        ("models.als.baseline=4", ["models.als.baseline = 4 (--set)", "must be a table of keys"]),
        ("training.epochs=0", ["training.epochs = 0 (--set)", "greater than or equal to 1"]),
        (
            "training.epoch=3",
            ["training.epoch (--set): unknown key; did you mean epochs? known here: batch_size", "epochs"],
        ),
        ("models.ncf.training.epochs=0", ["models.ncf.training.epochs = 0 (--set)", "greater than or equal to 1"]),
        ("models.ncf.training.epoch=3", ["models.ncf.training.epoch (--set): unknown key", "epochs"]),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(conf: Path, override: str, parts: list[str]) -> None:
    said = complaint(override, conf=conf)
    for part in parts:
        assert part in said


@pytest.mark.parametrize("override", ["seed", "seed=3", "=3", "train.=3", ".seed=3", "train..seed=3", ""])
def test_an_override_that_is_no_override(conf: Path, override: str) -> None:
    assert "must have the form section.key=value" in complaint(override, conf=conf)


def test_a_fault_in_a_file_names_the_file(conf: Path) -> None:
    (conf / "local.toml").write_text('[train]\nseed = "x"\n', encoding="utf-8")
    assert complaint(conf=conf).startswith("train.seed = 'x' (conf/local.toml): ")


def test_a_value_where_a_table_belongs(conf: Path) -> None:
    (conf / "local.toml").write_text("train = 3\n", encoding="utf-8")
    assert complaint(conf=conf).startswith("train = 3 (conf/local.toml): ")


def test_a_key_that_no_layer_sets(conf: Path) -> None:
    (conf / "base.toml").write_text(BASE.replace("max_line_bytes = 1_000", ""), encoding="utf-8")
    assert "ingest.max_line_bytes: not set in any layer" in complaint(conf=conf)


def test_an_unknown_environment_lists_the_known(conf: Path) -> None:
    assert complaint(env="lokal", conf=conf) == "--env lokal: unknown environment; did you mean local? known: local"


@pytest.mark.parametrize("env", ["base", "models", "", "../local"])
def test_the_defaults_and_paths_are_no_environments(conf: Path, env: str) -> None:
    assert "unknown environment" in complaint(env=env, conf=conf)


def test_a_file_that_is_no_toml(conf: Path) -> None:
    (conf / "local.toml").write_text("[train\n", encoding="utf-8")
    assert complaint(conf=conf).startswith("conf/local.toml: not valid TOML: ")


def test_a_file_that_is_no_text(conf: Path) -> None:
    (conf / "local.toml").write_bytes(b"\xff\xfe\x00")
    assert complaint(conf=conf).startswith("conf/local.toml: ")


def test_layers_remember_who_set_a_key(conf: Path) -> None:
    layers = read_layers("local", ["models.als.rank=4"], conf=conf)
    assert layers.origins["models.als.rank"] == "--set"
    assert layers.origins["models.als.reg"] == "conf/models.toml"
    assert layers.origins["train.seed"] == "conf/base.toml"
