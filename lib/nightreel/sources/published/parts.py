"""Items that several kinds of files describe, each kind a part of what is known of an item."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from nightreel.sources.files import RawFile
from nightreel.sources.published.finding import Form
from nightreel.sources.records import Dialect, read_records


@dataclass(frozen=True)
class Part:
    """A kind of file, as Form.others names it: how it is read, and what its records tell.

    columns : by the header's names, or by place where there is no header
    judge : adds to the records what they tell, and reasons to the bad ones (see nightreel.sources.records.judging)
    """

    form: Form
    name: str
    dialect: Dialect
    columns: Sequence[str]
    judge: Callable[[DataFrame], DataFrame]


def read_parts(
    spark: SparkSession, files: Mapping[int, RawFile], parts: Iterable[Part], *, told: str, max_record_bytes: int
) -> DataFrame:
    """The judged records of all the files in one DataFrame, which so can be kept while rows and rejects are made of it.

    Parameters
    ----------
    told : the columns to keep of what records tell, with their types, as SQL

    Returns
    -------
    grain record; columns file_id, position, line (null in good ones), reason, part string, and those of `told`, null
    where a part has none
    """
    schema = f"file_id int, position bigint, line string, reason string, part string, {told}"
    records = spark.createDataFrame([], schema)
    for part in parts:
        theirs = {file_id: file for file_id, file in files.items() if part.form.part(file.name) == part.name}
        if theirs:
            read = read_records(spark, theirs, part.dialect, part.columns, max_record_bytes=max_record_bytes)
            judged = part.judge(read).withColumn("part", F.lit(part.name))
            judged = judged.withColumn("line", F.when(F.col("reason").isNotNull(), F.col("line")))
            kept = [name for name in records.columns if name in judged.columns]
            records = records.unionByName(judged.select(*kept), allowMissingColumns=True)
    return records
