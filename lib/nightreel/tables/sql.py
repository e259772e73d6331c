"""Text in SQL that two engines read."""

from __future__ import annotations

import re

_ESCAPED = re.compile(r"(['\\])")


def sql_text(text: str) -> str:
    """The text as an SQL expression that Spark and DataFusion read alike, for conditions: they escape differently."""
    parts = [f"chr({ord(part)})" if _ESCAPED.fullmatch(part) else f"'{part}'" for part in _ESCAPED.split(text) if part]
    return f"concat({', '.join(parts)})" if len(parts) > 1 else parts[0] if parts else "''"
