# Databricks notebook source
# MAGIC %md
# MAGIC # Neural training
# MAGIC
# MAGIC A network in torch, trained by TorchDistributor on the files of the Delta table, fed by petastorm.
# MAGIC `neural.processes`
# MAGIC is the number of ranks; on GPUs each has one. Run `01_explore_a_dump` first; `make neural` installs torch.

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

epochs = parameter("epochs", "5")
network = Project([*settings, f"training.epochs={epochs}", "neural.processes=1"])
print(network.train("mf_bias").rows)

# COMMAND ----------

# MAGIC %md
# MAGIC The losses by epoch.

# COMMAND ----------

from pyspark.sql import functions as F

losses = tables.read("gold_metrics").where("model = 'mf_bias' AND metric LIKE 'loss@epoch%'")
epoch = F.regexp_extract("metric", r"(\d+)$", 1).cast("int").alias("epoch")
curves = losses.groupBy(epoch).pivot("split", ["train", "validation"]).agg(F.max("value")).orderBy("epoch")
display(curves)

# COMMAND ----------

# MAGIC %md
# MAGIC Against what it has to beat.

# COMMAND ----------

network.train("baseline")
print("\n".join(network.evaluate("mf_bias", "baseline").notes))
