"""The networks, and how a trained one is saved and loaded."""
