"""A page of sections that needs no network, and the same as Markdown: figures, tables and text."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import pandas as pd

from nightreel.errors import ConfigurationError


@dataclass(frozen=True)
class Part:
    """What stands under a heading: any of a text, a figure of plotly, a table and the box for similar titles.

    wide : it takes the page's whole width
    similar : by title, the titles similar to it and their similarity
    """

    title: str = ""
    text: str = ""
    figure: Any = None
    table: pd.DataFrame | None = None
    similar: Mapping[str, Sequence[tuple[str, float]]] | None = None
    wide: bool = False

    @property
    def columns(self) -> list[str]:
        return [] if self.table is None else list(map(str, self.table.columns))

    @property
    def rows(self) -> list[list[str]] | None:
        """The table as text; numbers with at most four digits after the point."""
        return None if self.table is None else [[_text(value) for value in row] for row in self.table.to_numpy(object)]

    def numeric(self, place: int) -> bool:
        """Whether the column holds numbers, which stand to the right."""
        return self.table is not None and pd.api.types.is_numeric_dtype(self.table.iloc[:, place])

    @property
    def drawn(self) -> str:
        import plotly.io

        config = {"displaylogo": False, "responsive": True, "displayModeBar": False}
        drawn: str = plotly.io.to_html(
            self.figure, full_html=False, include_plotlyjs=False, config=config, default_width="100%"
        )
        return drawn


@dataclass(frozen=True)
class Section:
    """A heading with its parts; `name` is its anchor."""

    name: str
    title: str
    parts: Sequence[Part]


def as_html(title: str, sections: Sequence[Section], *, about: str) -> str:
    """One file that opens offline, light and dark, on a phone and on paper. Everything from data is escaped.

    Raises
    ------
    ConfigurationError : plotly or Jinja2 is not installed
    """
    try:
        import jinja2
        import plotly.offline
    except ImportError as error:
        raise ConfigurationError(f"a page needs {error.name}: install nightreel's extra report") from None
    template = jinja2.Environment(autoescape=True, trim_blocks=True).from_string(
        (resources.files("nightreel.report") / "page.html").read_text(encoding="utf-8")
    )
    draws = any(part.figure is not None for section in sections for part in section.parts)
    plotly_js = plotly.offline.get_plotlyjs() if draws else ""
    return template.render(title=title, about=about, sections=sections, plotly=plotly_js)


def as_markdown(title: str, sections: Sequence[Section], *, about: str) -> str:
    """Headings, texts and tables; figures are left out."""
    lines = [f"# {_cell(title)}", "", _cell(about), ""]
    for section in sections:
        parts = [part for part in section.parts if part.table is not None or (part.text and part.figure is None)]
        lines += [f"## {section.title}", ""] if parts else []
        for part in parts:
            lines += [f"### {_cell(part.title)}", ""] if part.title else []
            lines += [_cell(part.text), ""] if part.text else []
            lines += [*_markdown_table(part), ""] if part.table is not None else []
    return "\n".join(lines)


def _markdown_table(part: Part) -> list[str]:
    marks = ["---:" if part.numeric(place) else "---" for place in range(len(part.columns))]
    rows = [part.columns, marks, *(part.rows or [])]
    return [f"| {' | '.join(cell if row is marks else _cell(cell) for cell in row)} |" for row in rows]


def _cell(text: str) -> str:
    """Text that Markdown shows as it is, also where HTML is allowed."""
    return html.escape(" ".join(text.split()), quote=False).replace("|", "\\|")


def _text(value: object) -> str:
    if isinstance(value, float):
        return "" if pd.isna(value) else f"{value:,.4f}".rstrip("0").rstrip(".")
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
