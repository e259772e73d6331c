"""The typed configuration: what may be set, and how the layers of TOML become it."""

from nightreel.settings.layers import Layers, load, read_layers
from nightreel.settings.sections import (
    DataSettings,
    EvaluateSettings,
    FilterSettings,
    IngestSettings,
    NightlySettings,
    RecommendSettings,
    ScaleSettings,
    Settings,
    SplitSettings,
    TablesSettings,
    TrainSettings,
)

__all__ = [
    "DataSettings",
    "EvaluateSettings",
    "FilterSettings",
    "IngestSettings",
    "Layers",
    "NightlySettings",
    "RecommendSettings",
    "ScaleSettings",
    "Settings",
    "SplitSettings",
    "TablesSettings",
    "TrainSettings",
    "load",
    "read_layers",
]
