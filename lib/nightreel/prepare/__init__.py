"""Bronze to silver: one rating per user and item, sparse users and items dropped, dense indices, splits."""

from nightreel.prepare.cache import Cache
from nightreel.prepare.dense import Known
from nightreel.prepare.matching import AMBIGUOUS
from nightreel.prepare.silver import Silver, prepare

__all__ = ["AMBIGUOUS", "Cache", "Known", "Silver", "prepare"]
