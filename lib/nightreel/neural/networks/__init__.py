"""The networks, one a file, and how a trained one is kept and found again.

Nothing is imported here: `params` and `domain` are read where torch is not installed."""
