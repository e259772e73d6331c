"""Files that take their places once all of them are written: half a dump is never to be seen."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from nightreel.errors import ConfigurationError
from nightreel.sample.world.crowds import Format

_NAMES: Mapping[Format, tuple[str, ...]] = {
    "netflix": ("combined_data_*.txt*", "training_set", "movie_titles.*", "probe.txt", "qualifying.txt"),
    "movielens": ("ratings.csv", "movies.csv", "links.csv", "tags.csv", "ml-sample.zip"),
    "kmrd": ("rates.csv", "movies.txt", "genres.csv", "castings.csv", "countries.csv", "peoples.txt"),
    "metadata": ("movies_metadata.csv", "keywords.csv", "credits.csv", "tmdb_5000_movies.csv", "tmdb_5000_credits.csv"),
}


@contextmanager
def published(out: Path, *, format: Format, overwrite: bool) -> Iterator[Path]:
    """An empty folder inside `out` whose files move there at the end, in place of what a dump of the format left.

    Raises
    ------
    ConfigurationError : a dump lies there and may not be overwritten, or one of another format
    """
    _check_room(out, format=format, overwrite=overwrite)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".unfinished-", dir=out) as staging:
        yield Path(staging)
        for old in _present(out, format):
            if old.is_dir():
                shutil.rmtree(old)
            else:
                old.unlink()
        for new in Path(staging).iterdir():
            new.rename(out / new.name)


def _check_room(out: Path, *, format: Format, overwrite: bool) -> None:
    present = _present(out, format)
    if present and not overwrite:
        raise ConfigurationError(
            f"{out}: holds {present[0].name} already; name another folder, or overwrite it (--overwrite)"
        )
    # Descriptions may lie beside any ratings; two sources of ratings in one folder would be read as one.
    others = [] if format == "metadata" else [other for other in _NAMES if other not in (format, "metadata")]
    for other in others:
        if foreign := _present(out, other):
            raise ConfigurationError(f"{out}: holds {foreign[0].name}, which is {other}; name another folder")


def _present(folder: Path, format: Format) -> list[Path]:
    return sorted(path for name in _NAMES[format] for path in folder.glob(name))
