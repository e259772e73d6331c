# Databricks notebook source
# MAGIC %md
# MAGIC # Look into the nights
# MAGIC
# MAGIC What was trained, how good it was, what served and why, and the tables as they were. Run the others
# MAGIC first, or a night:
# MAGIC `./spark-submit.sh nightly`.

# COMMAND ----------


def parameter(name: str, default: str) -> str:
    """A widget on Databricks; elsewhere the default: change it here."""
    if "dbutils" not in globals():
        return default
    dbutils.widgets.text(name, default)
    return dbutils.widgets.get(name)


settings = [
    f"data.source={parameter('source', 'netflix')}",
    f"data.path={parameter('data', '../demo/raw')}",
    f"tables.root={parameter('tables', '../demo/tables')}",
    f"tables.catalog={parameter('catalog', '')}",
]

# COMMAND ----------

from nightreel import Project

project = Project(settings)
tables = project.job.tables

# COMMAND ----------

runs = tables.read("gold_runs")
display(runs.select("run_date", "model", "run_id", "started_at", "finished_at").orderBy("run_date", "model"))

# COMMAND ----------

# MAGIC %md
# MAGIC Metrics over the nights.

# COMMAND ----------

from pyspark.sql import functions as F

metrics = tables.read("gold_metrics").where("metric IN ('rmse', 'ndcg@10') AND value IS NOT NULL")
display(metrics.groupBy("run_date", "model").pivot("metric").agg(F.last("value")).orderBy("run_date", "model"))

# COMMAND ----------

# MAGIC %md
# MAGIC What served, since when, and why. The newest row of a purpose is the pointer that readers follow.

# COMMAND ----------

if tables.exists("gold_champion"):
    display(
        tables.read("gold_champion")
        .select("night", "purpose", "decision", "model", "since", "reason")
        .orderBy("decided_at")
    )

# COMMAND ----------

# MAGIC %md
# MAGIC A table as it was: every commit is a version.

# COMMAND ----------

newest = tables.version("gold_metrics")
for version in (0, newest):
    print(version, tables.read("gold_metrics", version=version).count())

# COMMAND ----------

# MAGIC %md
# MAGIC All of it on one page.

# COMMAND ----------

from nightreel.report.report import write_report

print(write_report(project.store, "report.html"))
