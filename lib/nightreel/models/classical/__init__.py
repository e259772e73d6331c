"""One file an algorithm: a `fit` that ends in a form."""
