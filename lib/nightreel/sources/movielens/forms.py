"""The forms in which MovieLens is published."""

from __future__ import annotations

from nightreel.sources.published.finding import Form

CSV = Form(
    said="MovieLens CSV",
    ratings=r"ratings?\.csv",
    looked_for="ratings.csv",
    begins=r'"?userId"?,"?movieId"?,"?rating"?(,|$)',
    others={"movies": r"movies?\.csv", "links": r"links?\.csv", "tags": r"tags?\.csv"},
)
"""latest-small, 20M and later; a widespread copy of 20M leaves out the plural's s."""

DAT = Form(
    said="MovieLens 1M or 10M",
    ratings=r"ratings\.dat",
    looked_for="ratings.dat",
    begins=r"\d+::\d+::\d",
    others={"movies": r"movies\.dat", "tags": r"tags\.dat"},
)

U_DATA = Form(
    said="MovieLens 100K",
    ratings=r"u\.data",
    looked_for="u.data",
    begins=r"\d+\t\d+\t\d",
    others={"movies": r"u\.item", "genres": r"u\.genre"},
)

FORMS = (CSV, DAT, U_DATA)
