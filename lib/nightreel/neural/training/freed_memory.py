"""What the C library does with memory that torch has freed."""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
_NEVER = 2**31 - 1


def keep_freed_memory() -> None:
    """Let the process keep what it frees, for the next step's tensors of the same sizes.

    glibc gives blocks of 32 MiB and more back to the system at once and takes them anew, page by page, in the next
    step: with steps of 65,536 rows that is half of the time of a network with a layer of 256 units. The process then
    stays as large as its largest step made it. Other C libraries are left as they are.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_MAX, 0)
        mallopt(_TRIM_THRESHOLD, _NEVER)
