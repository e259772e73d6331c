"""The parser of commands' and jobs' arguments."""

from __future__ import annotations

import argparse
from typing import Any, NoReturn

from nightreel.errors import ConfigurationError


class Parser(argparse.ArgumentParser):
    """Keeps the line breaks of descriptions, accepts no abbreviated flags, and raises ConfigurationError."""

    def __init__(self, **options: Any) -> None:
        kept: dict[str, Any] = {"formatter_class": argparse.RawDescriptionHelpFormatter, "allow_abbrev": False}
        super().__init__(**kept | options)

    def error(self, message: str) -> NoReturn:
        raise ConfigurationError(f"{message} (see {self.prog} --help)")
