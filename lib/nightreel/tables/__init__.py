"""The tables: their schemas, the one reader and writer, and commits without Spark."""
