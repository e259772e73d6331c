"""nightreel: recommenders retrained every night, from raw ratings to Delta tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nightreel.ask import Store as Store
    from nightreel.ask import open_store as open_store
    from nightreel.project import Project as Project
    from nightreel.project import local as local

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Load what is asked for: `open_store` needs no Spark, and the workers need neither."""
    if name in ("Store", "open_store"):
        from nightreel import ask

        return getattr(ask, name)
    if name in ("Project", "local"):
        from nightreel import project

        return getattr(project, name)
    raise AttributeError(f"module {__name__} has no attribute {name}")
