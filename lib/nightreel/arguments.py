"""How commands and jobs read their arguments."""

from __future__ import annotations

import argparse
from typing import Any, NoReturn

from nightreel.errors import ConfigurationError


class Parser(argparse.ArgumentParser):
    """Keeps the lines of its description, takes no abbreviated flags, and raises ConfigurationError in one line."""

    def __init__(self, **options: Any) -> None:
        kept: dict[str, Any] = {"formatter_class": argparse.RawDescriptionHelpFormatter, "allow_abbrev": False}
        super().__init__(**kept | options)

    def error(self, message: str) -> NoReturn:
        raise ConfigurationError(f"{message} (see {self.prog} --help)")
