"""The typed configuration: what may be set, and how the layers of TOML become it."""

from nightreel.settings.layers import Layers, load, read_layers
from nightreel.settings.sections import (
    DataSettings,
    EvaluateSettings,
    FilterSettings,
    IngestSettings,
    NeuralSettings,
    NightlySettings,
    RecommendSettings,
    ScaleSettings,
    Settings,
    SplitSettings,
    TablesSettings,
    TextSettings,
    TrainSettings,
)

__all__ = [
    "DataSettings",
    "EvaluateSettings",
    "FilterSettings",
    "IngestSettings",
    "Layers",
    "NeuralSettings",
    "NightlySettings",
    "RecommendSettings",
    "ScaleSettings",
    "Settings",
    "SplitSettings",
    "TablesSettings",
    "TextSettings",
    "TrainSettings",
    "load",
    "read_layers",
]
