# Databricks notebook source
# MAGIC %md
# MAGIC # Explore a dump
# MAGIC
# MAGIC From raw files to clean tables, and what is in them. The generated dump of `make demo` stands for yours.

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

print(project.ingest().notes)
print(project.prepare().rows)

# COMMAND ----------

# MAGIC %md
# MAGIC How often each rating was given.

# COMMAND ----------

from pyspark.sql import functions as F

ratings = tables.read("bronze_ratings")
display(ratings.groupBy("rating").count().orderBy("rating"))

# COMMAND ----------

# MAGIC %md
# MAGIC Ratings a month.

# COMMAND ----------

display(ratings.groupBy(F.date_trunc("month", "rated_at").alias("month")).count().orderBy("month"))

# COMMAND ----------

# MAGIC %md
# MAGIC The films that most people rated, and how many ratings people give: most give few.

# COMMAND ----------

items = tables.read("silver_items")
display(items.select("title", "year", "n_ratings", "mean_rating").orderBy(F.desc("n_ratings")).limit(20))

# COMMAND ----------

users = tables.read("silver_users")
steps = F.pow(F.lit(2), F.floor(F.log2("n_ratings"))).cast("int").alias("ratings_from")
display(
    users.groupBy(steps).agg(F.count("*").alias("users"), F.sum("n_ratings").alias("ratings")).orderBy("ratings_from")
)

# COMMAND ----------

# MAGIC %md
# MAGIC Lines that are no ratings, and why. Each is kept with its file and place.

# COMMAND ----------

rejected = tables.read("bronze_quarantine")
display(rejected.groupBy("reason").agg(F.count("*").alias("lines"), F.first("line").alias("one of them")))
