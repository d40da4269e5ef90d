"""The memory of this process: what the allocators keep, what the garbage collector walks over.

Belongs here: settings of allocators, made before the libraries are loaded that bring them, and of
Python's collector. Does not belong here: how much is held at once, which is for whoever holds it.
Figures: docs/decisions/0019-keeping-two-cores-busy.md.
"""

from __future__ import annotations

import ctypes
import gc
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager

# One arena each: what one thread has freed is there for the next, whichever that is.
_JEMALLOC = {
    "_RJEM_MALLOC_CONF": (  # Polars
        "dirty_decay_ms:10000,muzzy_decay_ms:10000,oversize_threshold:0,narenas:1"
    ),
    "JE_MALLOC_CONF": "dirty_decay_ms:30000,oversize_threshold:0,narenas:1",  # chDB
}
_GLIBC = (
    (-3, "MALLOC_MMAP_THRESHOLD_", 1 << 30),
    (-1, "MALLOC_TRIM_THRESHOLD_", 1 << 28),
    (-8, "MALLOC_ARENA_MAX", 1),
)
"""Number of the parameter for `mallopt`, the variable that sets it too, and bytes."""


def keep_freed_memory() -> None:
    """Make Polars, chDB and NumPy keep what was freed for some seconds instead of giving it back.

    An hour is worked on in batches alike: what one frees, the next needs, and every page that was
    given back is cleared by the system before it comes again. What the environment sets is left.
    """
    for name, options in _JEMALLOC.items():
        os.environ.setdefault(name, options)
    if platform.libc_ver()[0] != "glibc":
        return
    library = ctypes.CDLL(None)
    for parameter, name, value in _GLIBC:
        if name not in os.environ:
            library.mallopt(parameter, value)


@contextmanager
def spare_settled_objects() -> Iterator[None]:
    """Keep the collector from walking over what was made before the block.

    Packs, schema and mappings are millions of objects that stay; new ones, made by the thousand,
    would have them all looked at again and again.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
