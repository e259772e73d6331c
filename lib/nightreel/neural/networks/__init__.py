"""The networks, and how a trained one is saved and loaded.

Nothing is imported here: `params` is read where torch is not installed."""
