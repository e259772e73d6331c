"""The tables: their schemas, the one reader and writer, and commits without Spark."""

from nightreel.tables.delta_rs import TableFile
from nightreel.tables.schemas import EPOCH_METRICS, SCHEMAS
from nightreel.tables.tables import Tables, digest, sql_text

__all__ = ["EPOCH_METRICS", "SCHEMAS", "TableFile", "Tables", "digest", "sql_text"]
