"""Write the pages that follow from the code: tables.md, configuration.md and models.md.

.venv/bin/python docs/generate.py            # write them
.venv/bin/python docs/generate.py --check    # name those that are out of date
"""

from __future__ import annotations

import ast
import inspect
import sys
import tomllib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

from nightreel.models import HYPERPARAMETERS
from nightreel.models.registry import create
from nightreel.settings import Settings, load
from nightreel.tables import SCHEMAS

HERE = Path(__file__).parent
CONF = HERE.parent / "conf"


def tables() -> str:
    lines = ["# Tables", "", "Every table of a dataset. External ids are `bigint` or `string`, as `data.ids` says.", ""]
    for schema in SCHEMAS.values():
        lines += [f"## {schema.name}", "", f"Grain: {schema.grain}. Written by: {schema.owner}."]
        lines += [f"Partitioned by {', '.join(schema.partitions)}."] if schema.partitions else []
        lines += ["", "| column | type |", "|---|---|"]
        lines += [f"| `{name}` | {'id' if kind == 'id' else kind} |" for name, kind in schema.columns.items()]
        lines.append("")
    return "\n".join(lines)


def configuration() -> str:
    defaults = tomllib.loads((CONF / "base.toml").read_text(encoding="utf-8"))
    lines = [
        "# Configuration",
        "",
        "Every setting with its default of `conf/base.toml`. Above it stand `conf/sources/<source>.toml`, then",
        "`conf/<env>.toml`, then `--set section.key=value`. Hyperparameters are in [models.md](models.md).",
        "",
    ]
    for section, field in Settings.model_fields.items():
        if section in ("models", "training"):
            continue
        kind: Any = field.annotation
        lines += [
            f"## [{section}]",
            "",
            *_docstring(kind),
            "",
            "| setting | default | allowed | |",
            "|---|---|---|---|",
        ]
        lines += [f"| `{key}` | {default} | {allowed} | {about} |"
                  for key, default, allowed, about in _rows(kind, section, defaults.get(section, {}))]  # fmt: skip
        lines.append("")
    return "\n".join(lines)


def models() -> str:
    settings = load("local", [], models=HYPERPARAMETERS)
    lines = [
        "# Models",
        "",
        "What each computes, its source, the size it serves, and its hyperparameters, set by",
        "`--set models.<model>.<key>=value`. What a network shares with the others is `[training]`.",
        "",
    ]
    for name, kind in HYPERPARAMETERS.items():
        algorithm = create(name, settings)
        about = inspect.getdoc(type(algorithm)) or ""
        rows = list(_rows(kind, f"models.{name}", settings.models[name].model_dump(mode="json")))
        lines += [f"## {name}", "", *([] if name in _NETWORKS else [about, ""])]
        lines += ["| setting | default | allowed | |", "|---|---|---|---|"] if rows else ["No hyperparameters.", ""]
        lines += [f"| `{key}` | {default} | {allowed} | {said} |" for key, default, allowed, said in rows]
        lines.append("")
    return "\n".join(lines)


_NETWORKS = ("mf", "mf_bias", "deep", "ncf", "neumf", "hybrid")


def _docstring(kind: type[BaseModel]) -> list[str]:
    return (inspect.getdoc(kind) or "").splitlines()


def _rows(kind: type[BaseModel], prefix: str, defaults: Any) -> Iterator[tuple[str, str, str, str]]:
    """(dotted key, default, what is allowed, the docstring below the field)."""
    said = _field_docstrings(kind)
    for key, field in kind.model_fields.items():
        annotation: Any = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from _rows(annotation, f"{prefix}.{key}", defaults.get(key, {}))
            continue
        default = defaults.get(key) if isinstance(defaults, dict) else None
        yield f"{prefix}.{key}", f"`{_toml(default)}`", _allowed(annotation, field.metadata), said.get(key, "")


def _allowed(annotation: Any, metadata: list[Any]) -> str:
    choices = get_args(annotation)
    if choices and all(isinstance(one, str) for one in choices):
        return ", ".join(f"`{one}`" for one in choices)
    bounds = {"ge": "from {}", "gt": "above {}", "le": "to {}", "lt": "below {}", "min_length": "at least {} long"}
    found = [text.format(getattr(one, name)) for one in metadata for name, text in bounds.items()
             if getattr(one, name, None) is not None]  # fmt: skip
    name = getattr(annotation, "__name__", str(annotation).replace("typing.", ""))
    return " ".join(
        [{"str": "text", "bool": "true, false", "float": "number", "int": "whole number"}.get(name, name), *found]
    )


def _field_docstrings(kind: type[BaseModel]) -> dict[str, str]:
    """The strings that stand below fields, of the class and those it inherits from."""
    found: dict[str, str] = {}
    for part in reversed([one for one in kind.__mro__ if issubclass(one, BaseModel) and one is not BaseModel]):
        try:
            body = ast.parse(inspect.cleandoc("\n" + inspect.getsource(part))).body[0]
        except (OSError, TypeError, IndentationError):
            continue
        statements = getattr(body, "body", [])
        for field, below in pairwise(statements):
            if (
                isinstance(field, ast.AnnAssign)
                and isinstance(below, ast.Expr)
                and isinstance(below.value, ast.Constant)
            ):
                found[getattr(field.target, "id", "")] = " ".join(str(below.value.value).split()).replace("|", "\\|")
    return found


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_toml, value))}]"
    return f'"{value}"' if isinstance(value, str) else "" if value is None else f"{value}"


PAGES = {"tables.md": tables, "configuration.md": configuration, "models.md": models}


def outdated() -> list[str]:
    """The pages that are not what the code says."""
    return [
        name for name, page in PAGES.items()
        if not (HERE / name).exists() or (HERE / name).read_text(encoding="utf-8") != page() + "\n"
    ]  # fmt: skip


if __name__ == "__main__":
    if "--check" in sys.argv:
        old = outdated()
        print("\n".join(f"docs/{name} is out of date: run docs/generate.py" for name in old))
        sys.exit(1 if old else 0)
    for name, page in PAGES.items():
        (HERE / name).write_text(page() + "\n", encoding="utf-8")
