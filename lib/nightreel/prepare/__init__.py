"""Bronze to silver: one rating per user and item, sparse users and items dropped, dense indices, splits."""

from nightreel.prepare.cache import Cache
from nightreel.prepare.dense import dense_index, densify
from nightreel.prepare.filters import deduplicate, keep_active
from nightreel.prepare.matching import AMBIGUOUS
from nightreel.prepare.silver import Silver, prepare
from nightreel.prepare.splits import split

__all__ = [
    "AMBIGUOUS",
    "Cache",
    "Silver",
    "deduplicate",
    "dense_index",
    "densify",
    "keep_active",
    "prepare",
    "split",
]
