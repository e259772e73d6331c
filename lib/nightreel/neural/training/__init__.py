"""From a specification and a feed to a trained network in a folder; alone, under torchrun or in Spark's tasks."""
