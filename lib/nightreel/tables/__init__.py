"""The tables: their schemas, the one reader and writer, and commits without Spark."""

from nightreel.tables.delta_rs import Staging, TableFile
from nightreel.tables.schemas import EPOCH_METRICS, ID, SCHEMAS, TableSchema
from nightreel.tables.tables import Tables, digest, sql_text

__all__ = ["EPOCH_METRICS", "ID", "SCHEMAS", "Staging", "TableFile", "TableSchema", "Tables", "digest", "sql_text"]
