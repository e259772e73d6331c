"""MovieLens."""
