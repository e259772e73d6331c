"""The page of a report: what comes from data is shown as it is, and is never markup."""

from __future__ import annotations

import pandas as pd

from nightreel.report.page import Part, Section, as_html, as_markdown

TITLE = '<script>alert("seen")</script> & <b>bold</b> | "quoted" </script>'


def sections() -> list[Section]:
    table = pd.DataFrame({"title": [TITLE], "ratings": [12345], "mean": [3.25]})
    box = Part("Similar titles", similar={TITLE: [(TITLE, 0.5)]})
    return [Section("one", "One", [Part(TITLE, TITLE, table=table), box])]


def test_a_title_from_data_is_no_markup() -> None:
    page = as_html(TITLE, sections(), about=TITLE)
    assert '<script>alert("seen")' not in page and "<b>bold" not in page
    assert "&lt;script&gt;alert(&#34;seen&#34;)" in page
    assert '\\u003cscript\\u003ealert(\\"seen\\")' in page  # in the box's JSON
    assert page.count("</script>") == page.count("<script>")


def test_markdown_holds_no_markup_and_keeps_its_columns() -> None:
    text = as_markdown("Report", sections(), about="all")
    row = next(line for line in text.splitlines() if "12,345" in line)
    assert row.startswith('| &lt;script&gt;alert("seen")&lt;/script&gt; &amp; &lt;b&gt;bold&lt;/b&gt; \\| "quoted"')
    assert row.endswith("| 12,345 | 3.25 |")
    assert "<script>" not in text


def test_a_page_without_figures_carries_no_plotly() -> None:
    assert len(as_html("Small", sections(), about="")) < 20_000
