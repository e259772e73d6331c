"""Algorithms, each a `fit` that ends in a form."""
