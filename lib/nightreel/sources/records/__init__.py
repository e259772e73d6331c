"""Small files of records, such as movies.csv: each read whole in one task, its bad records told from its good ones."""

from nightreel.sources.records.columns import Columns, Row, read_columns
from nightreel.sources.records.dialect import UTF8_OR_LATIN1, Dialect
from nightreel.sources.records.parse import Record, RecordReason, parse_records
from nightreel.sources.records.reading import FIRST_FIELDS, Cells, names_in_header, read_files, read_records, survey_of

__all__ = [
    "FIRST_FIELDS",
    "UTF8_OR_LATIN1",
    "Cells",
    "Columns",
    "Dialect",
    "Record",
    "RecordReason",
    "Row",
    "names_in_header",
    "parse_records",
    "read_columns",
    "read_files",
    "read_records",
    "survey_of",
]
