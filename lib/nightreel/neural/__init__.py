"""Networks in torch: the feed from the snapshot's Parquet files, the networks, the training loop and its launcher.

Nothing here but the launcher knows of Spark."""
