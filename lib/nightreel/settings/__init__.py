"""The typed configuration: what may be set, and how the layers of TOML become it."""

from nightreel.settings.layers import Layers, load, read_layers
from nightreel.settings.sections import (
    ColumnSettings,
    DataSettings,
    EvaluateSettings,
    FilterSettings,
    IngestSettings,
    ItemColumnSettings,
    MetadataSettings,
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
    "ColumnSettings",
    "DataSettings",
    "EvaluateSettings",
    "FilterSettings",
    "IngestSettings",
    "ItemColumnSettings",
    "Layers",
    "MetadataSettings",
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
