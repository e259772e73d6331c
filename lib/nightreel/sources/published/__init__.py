"""Datasets published under fixed names: finding them, their rating lines, and the parts that describe their items."""
