"""The configuration of a job, once the files have said what they are."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from nightreel.settings import Layers, Settings, read_layers
from nightreel.sources.recognise import recognise


def configured(env: str, overrides: Sequence[str]) -> Layers:
    """The layers of settings; with data.source = "auto" those of the format that the files at data.path turn out to be.

    What was found is said on standard error.

    Raises
    ------
    ConfigurationError : as `read_layers` and `recognise`
    """
    layers = read_layers(env, overrides)
    data = layers.parse(Settings).data
    if data.source != "auto":
        return layers
    found = recognise(data.path)
    print(f"data.source: {found.said}", file=sys.stderr)
    return read_layers(env, [*overrides, f"data.source={found.source}"])
