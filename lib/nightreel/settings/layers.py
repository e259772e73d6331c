"""Layers of TOML become one checked configuration; every complaint names the file and the key."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from nightreel.errors import ConfigurationError
from nightreel.settings.sections import DefaultsFrom, Section, Settings

SectionT = TypeVar("SectionT", bound=BaseModel)
DEFAULTS = ("base.toml", "models.toml")
_TABLE = "must be a table of keys"
_MESSAGES = {
    "model_type": _TABLE,
    "dict_type": _TABLE,
    "mapping_type": _TABLE,
    "string_type": "must be text, in quotes if it reads as a number, a date or true and false",
}
"""By pydantic's type of a fault, where its own message would not say it in the words of TOML."""


_SECRET = re.compile(
    r"://[^/?#@]*:[^/?#@]*@|[?&](sig|token|key|password|secret|x-amz-signature|[\w-]*(key|token|secret))=", re.I
)
"""Credentials in an address: user:password@, or a signed one. A container before an @, as abfss has it, is none."""


class Layers(NamedTuple):
    """The merged tables, and for each dotted key the file or option that set it last."""

    values: Mapping[str, Any]
    origins: Mapping[str, str]

    def parse(self, section: type[SectionT], prefix: str = "") -> SectionT:
        """The table at `prefix` as `section`; raises ConfigurationError with one line for all its faults."""
        try:
            return section.model_validate(self._with_defaults(section, self._table(prefix)))
        except ValidationError as error:
            faults = [self._complaint(section, prefix, fault) for fault in error.errors()]
            raise ConfigurationError("; ".join(faults)) from None

    def settings(self, models: Mapping[str, type[Section]] | None) -> Settings:
        """See `load`."""
        self._refuse_secrets(self.values)
        tables = self._table("models")
        if not isinstance(tables, dict):
            return self.parse(Settings)  # which says so
        if models is None:
            return self._replace(values={**self.values, "models": {}}).parse(Settings)
        faults = list[str]()
        for name in tables:
            if name not in models:
                origin = self._origin(f"models.{name}")
                faults.append(f"[models.{name}] ({origin}): unknown model; {known(name, models)}")
        params = dict[str, Section]()
        for name, section in models.items():
            try:
                params[name] = self.parse(section, prefix=f"models.{name}")
            except ConfigurationError as error:
                faults.append(str(error))
        try:
            settings = self._replace(values={**self.values, "models": {}}).parse(Settings)
        except ConfigurationError as error:
            faults.insert(0, str(error))
        if faults:
            raise ConfigurationError("; ".join(faults))
        return settings.model_copy(update={"models": params})

    def _refuse_secrets(self, values: Mapping[str, Any], prefix: str = "") -> None:
        """Raise ConfigurationError, without the value, for an address with credentials: tables would keep them."""
        for key, value in values.items():
            dotted = f"{prefix}{key}"
            if isinstance(value, dict):
                self._refuse_secrets(value, f"{dotted}.")
            else:
                refuse_secrets(f"{dotted} ({self._origin(dotted)})", *(value if isinstance(value, list) else [value]))

    def _table(self, dotted: str) -> Any:
        table: Any = self.values
        for part in filter(None, dotted.split(".")):
            table = table.get(part, {})
        return table

    def _with_defaults(self, section: type[BaseModel], table: Any) -> Any:
        """`table` with what its fields have from other tables (DefaultsFrom)."""
        for name, field in section.model_fields.items():
            for default in field.metadata:
                if isinstance(default, DefaultsFrom) and isinstance(table, dict):
                    own = table.get(name, {})
                    merged = {**self._table(default.table), **own} if isinstance(own, dict) else own
                    table = {**table, name: merged}
        return table

    def _complaint(self, section: type[BaseModel], prefix: str, fault: ErrorDetails) -> str:
        location = [str(part) for part in fault["loc"]]
        key = ".".join([*filter(None, prefix.split(".")), *location])
        if fault["type"] == "extra_forbidden":
            allowed = _fields_at(section, location[:-1])
            return f"{key} ({self._origin(key)}): unknown key; {known(location[-1], allowed, 'known here')}"
        if fault["type"] == "missing":
            return f"{key}: not set in any layer, and has no default"
        message = fault["msg"].removeprefix("Value error, ")
        message = _MESSAGES.get(fault["type"], message[:1].lower() + message[1:])
        if not key:
            return message
        given = f"[{key}]" if isinstance(fault["input"], dict) else f"{key} = {_shown(fault['input'])}"
        return f"{given} ({self._origin(key)}): {message}"

    def _origin(self, key: str) -> str:
        while key:
            if key in self.origins:
                return self.origins[key]
            key = key.rpartition(".")[0]
        return "the configuration"


def known(name: str, names: Iterable[str], what: str = "known") -> str:
    """The names there are, after the one that was probably meant."""
    allowed = list(names)
    near = get_close_matches(name, allowed, n=1)
    return (f"did you mean {near[0]}? " if near else "") + f"{what}: {', '.join(allowed)}"


def refuse_secrets(what: str, *values: object) -> None:
    """Raise ConfigurationError, without the value, where one is an address with credentials."""
    if any(_SECRET.search(str(value)) for value in values):
        raise ConfigurationError(
            f"{what}: holds credentials, which tables and logs would keep; give them to Spark, as --conf "
            "spark.hadoop.fs... or from a secret scope"
        )


def load(
    env: str,
    overrides: Sequence[str] = (),
    *,
    models: Mapping[str, type[Section]] | None = None,
    conf: Path | None = None,
) -> Settings:
    """conf/base.toml and models.toml, conf/sources/<data.source>.toml, conf/<env>.toml, `section.key=value` overrides.

    Parameters
    ----------
    models : the type of each model's hyperparameters (nightreel.models.HYPERPARAMETERS), for those who train; without
        it `Settings.models` stays empty
    conf : another folder than the library's own

    Raises
    ------
    ConfigurationError : an unknown environment, key or model, a wrong type, a value out of range
    """
    return read_layers(env, overrides, conf=conf).settings(models)


def read_layers(env: str, overrides: Sequence[str] = (), *, conf: Path | None = None) -> Layers:
    """The layers merged but not yet checked."""
    folder = conf_folder() if conf is None else conf
    defaults = [(f"conf/{name}", _read(folder / name)) for name in DEFAULTS]
    environments = sorted(
        file.name.removesuffix(".toml")
        for file in folder.iterdir()
        if file.name.endswith(".toml") and file.name not in DEFAULTS
    )
    if env not in environments:
        raise ConfigurationError(f"--env {env}: unknown environment; {known(env, environments)}")
    above = [(f"conf/{env}.toml", _read(folder / f"{env}.toml"))]
    above.extend(("--set", _override(text)) for text in overrides)
    data = _merge([*defaults, *above]).values.get("data")
    name = f"{data.get('source') if isinstance(data, dict) else None}.toml"
    file = folder / "sources" / name  # the format's own defaults, such as its scale
    of_source = [(f"conf/sources/{name}", _read(file))] if file.is_file() else []
    return _merge([*defaults, *of_source, *above])


def conf_folder() -> Traversable:
    """conf/ of the checkout this module lies in, or the copy the wheel brings."""
    checkout = Path(__file__).parents[3] / "conf"
    return checkout if (checkout / "base.toml").is_file() else resources.files("nightreel") / "conf"


def _read(file: Traversable) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"conf/{file.name}: not valid TOML: {error}") from None


def _override(text: str) -> dict[str, Any]:
    key, equals, value = text.partition("=")
    parts = key.strip().split(".")
    if not equals or len(parts) < 2 or not all(parts):
        raise ConfigurationError(f"--set {text}: must have the form section.key=value")
    try:
        table: Any = tomllib.loads(f"value = {value.strip()}")["value"]
    except tomllib.TOMLDecodeError:
        table = value.strip()  # the text as it is, so that paths need no quotes
    for part in reversed(parts):
        table = {part: table}
    return dict(table)


def _shown(value: object) -> str:
    """`value` as TOML writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, str | list | tuple) else str(value)


def _merge(layers: Iterable[tuple[str, dict[str, Any]]]) -> Layers:
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}

    def put(target: dict[str, Any], table: dict[str, Any], prefix: str, origin: str) -> None:
        for key, value in table.items():
            dotted = f"{prefix}{key}"
            origins[dotted] = origin
            if isinstance(value, dict) and isinstance(target.get(key, {}), dict):
                put(target.setdefault(key, {}), value, f"{dotted}.", origin)
            else:
                target[key] = value

    for origin, table in layers:
        put(values, table, "", origin)
    return Layers(values=values, origins=origins)


def _fields_at(section: type[BaseModel], location: Sequence[str]) -> list[str]:
    for part in location:
        inner = section.model_fields[part].annotation
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return []
        section = inner
    return sorted(section.model_fields)
