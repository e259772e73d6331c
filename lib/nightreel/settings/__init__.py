"""The typed configuration: what may be set, and how the layers of TOML become it."""

from nightreel.settings.layers import load as load
from nightreel.settings.layers import read_layers as read_layers
from nightreel.settings.layers import refuse_secrets as refuse_secrets
from nightreel.settings.sections import ColumnSettings as ColumnSettings
from nightreel.settings.sections import DataSettings as DataSettings
from nightreel.settings.sections import EvaluateSettings as EvaluateSettings
from nightreel.settings.sections import FilterSettings as FilterSettings
from nightreel.settings.sections import IngestSettings as IngestSettings
from nightreel.settings.sections import ItemColumnSettings as ItemColumnSettings
from nightreel.settings.sections import MetadataSettings as MetadataSettings
from nightreel.settings.sections import NeuralSettings as NeuralSettings
from nightreel.settings.sections import ScaleSettings as ScaleSettings
from nightreel.settings.sections import Settings as Settings
from nightreel.settings.sections import SplitSettings as SplitSettings
from nightreel.settings.sections import TablesSettings as TablesSettings
from nightreel.settings.sections import TextSettings as TextSettings
