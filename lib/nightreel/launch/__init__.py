"""What must be right before Spark runs: Java, Delta's jars, the zip that executors import, spark-submit's arguments.

Its modules are commands as well (`python -m nightreel.launch.java`), so nothing is imported here."""
