"""Records of items told good or bad by their values: a bad one gets a reason, and is left out of the rows."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

NOT_AN_ID = "id is not a whole number"
REPEATED = "id is described already"

_DIGITS = r"[0-9]{1,19}"


def whole_number(text: str | Column) -> Column:
    """Text as a bigint from 0 on; null where it is none. Blanks around it are no part of it."""
    bare = F.trim(text)
    return F.when(bare.rlike(f"^{_DIGITS}$"), bare.try_cast("bigint"))


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
