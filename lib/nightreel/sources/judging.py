"""The reasons for rejecting records by their values, and how external ids are spelled."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

NOT_AN_ID = "id is not a whole number"
REPEATED = "id is described already"
TITLE_CONTROL = "control signs in the title"

ID_TYPES = {"number": "bigint", "text": "string"}
"""What external ids are in tables, by data.ids."""

CONTROL = r"[\x00-\x1f\x7f]"
_NO_TEXT = rf"{CONTROL}|\ufffd"
"""Control signs, and what stands for bytes that are no UTF-8."""
_BLANKS = " \t\r\n"


def spelled_id(column: Column, of_type: T.DataType) -> Column:
    """An external id as text, spelled the same whatever the format it comes from; null where there is none.

    Blanks around it are no part of it. A whole number that was written as a float (7.0, or 7 in a column of floats) is
    the whole number, 7.
    """
    text = column.cast("string")
    if isinstance(of_type, T.FloatType | T.DoubleType):
        whole = column.try_cast("bigint")
        text = F.when(whole.cast("double") == column, whole.cast("string")).when(~F.isnan(column), text)
    return F.nullif(F.regexp_replace(F.btrim(text, F.lit(_BLANKS)), r"^(-?[0-9]+)\.0+$", "$1"), F.lit(""))


def id_as(spelled: Column, of_type: str) -> Column:
    """A spelled id as bigint or string (tables' types of ids), null where it is none: not a whole number from 0 on, or
    not text of one line."""
    if of_type == "bigint":
        return F.when(spelled.rlike("^[0-9]+$"), spelled.try_cast("bigint"))
    return F.when(~spelled.rlike(_NO_TEXT), spelled)


def whole_number(text: str | Column) -> Column:
    """Text as a bigint from 0 on, spelled as ids are; null where it is none."""
    return id_as(spelled_id(F.col(text) if isinstance(text, str) else text, T.StringType()), "bigint")


def text_or_null(text: str | Column) -> Column:
    """Text without blanks around it; null where nothing is left."""
    return F.nullif(F.trim(text), F.lit(""))


def rejected_where(records: DataFrame, bad: Column, reason: str) -> DataFrame:
    """The records, those among the good ones where `bad` holds given the reason."""
    judged = F.when(F.col("reason").isNotNull(), F.col("reason")).when(bad, reason)
    return records.withColumn("reason", judged)


def rejected_repeats(records: DataFrame, key: str, reason: str = REPEATED) -> DataFrame:
    """Of the good records with the same key the first stays good, by file and position."""
    of_key = Window.partitionBy(F.col("reason").isNull(), key).orderBy("file_id", "position")
    numbered = records.withColumn("nth", F.row_number().over(of_key))
    return rejected_where(numbered, F.col("nth") > 1, reason).drop("nth")
