# Databricks notebook source
# MAGIC %md
# MAGIC # Recommendations, similar films, why, and somebody new
# MAGIC
# MAGIC Answers for people. Run `02_train_and_compare` first. The store reads tables
# MAGIC under a path without Spark, and those of a catalog by it.

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

project.recommend("ease")
store = project.store
some = [row["user_id"] for row in tables.read("silver_users").orderBy("user_idx").limit(3).collect()]
for suggestion in store.recommend(some[0], n=5).suggestions:
    print(suggestion.rank, suggestion.title, suggestion.why)

# COMMAND ----------

# MAGIC %md
# MAGIC What is similar to the film that most people rated.

# COMMAND ----------

known = store.popular(n=3)
for near in store.similar(known[0].item_id, n=5):
    print(f"{near.similarity:.3f}", near.title)

# COMMAND ----------

# MAGIC %md
# MAGIC Why: what each rating gives to the score.

# COMMAND ----------

why = store.explain(some[0], known[0].item_id, model="als_implicit")
print(why.title, round(why.score, 4), why.how)
for reason in why.reasons[:5]:
    print(f"{reason.amount:+.4f}", reason.title)

# COMMAND ----------

# MAGIC %md
# MAGIC Somebody new, from three titles, without training.

# COMMAND ----------

for suggestion in store.rate(like=[item.item_id for item in known], n=5).suggestions:
    print(suggestion.rank, suggestion.title)

# COMMAND ----------

# MAGIC %md
# MAGIC Many new people at once, on Spark: the model with them in place of its own users.

# COMMAND ----------

from nightreel.models import runs

model = runs.load(tables, runs.find(tables, model="als_implicit"))
new = (
    tables.read("silver_interactions")
    .where("user_idx < 50")
    .selectExpr("user_idx + 1000000 AS user_idx", "item_idx", "rating")
)
lists = model.with_users(new).recommend(new.select("user_idx").distinct(), n=5, seen=new)
display(
    lists.join(tables.read("silver_items"), "item_idx")
    .select("user_idx", "rank", "title", "score")
    .orderBy("user_idx", "rank")
)
