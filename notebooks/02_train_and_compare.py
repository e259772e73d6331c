# Databricks notebook source
# MAGIC %md
# MAGIC # Train and compare
# MAGIC
# MAGIC Which model is best on this data, and at what cost. Run `01_explore_a_dump` first.

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

models = ("popular", "baseline", "ease", "als_implicit")
print(project.train(*models).rows)
print("\n".join(project.evaluate(*models).notes))

# COMMAND ----------

# MAGIC %md
# MAGIC Each model is trained without each fold and measured on it; `behind` is the paired difference to the
# MAGIC best, with its
# MAGIC standard error.

# COMMAND ----------

leaderboard = project.compare("popular", "baseline", "ease", "item_cosine")
display(leaderboard)

# COMMAND ----------

# MAGIC %md
# MAGIC The same as a page with charts.

# COMMAND ----------

from nightreel import nightly, report

wanted = nightly.check_comparison(project.settings, models=["popular", "baseline", "ease", "item_cosine"], grid=[])
_, comparison = nightly.comparison(project.job, wanted)
print(
    report.write_comparison(
        comparison, page="comparison.html", markdown=None, csv=None, about=nightly.about(project.job)
    )
)
