"""The form in which KMRD is published, in any of its sizes."""

from __future__ import annotations

from nightreel.sources.published.finding import Form

KMRD_FILES = Form(
    said="KMRD",
    ratings=r"rates(-\w+)?\.csv",
    looked_for="rates.csv, rates-2m.csv, rates-5m.csv",
    begins="user,movie,rate,time",
    others={
        "movies": r"movies\.txt",
        "genres": r"genres\.csv",
        "castings": r"castings\.csv",
        "countries": r"countries\.csv",
        "peoples": r"peoples\.txt",
    },
)
