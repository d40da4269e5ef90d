"""How the threads of numeric libraries wait for each other.

Belongs here: variables that must be set before such a library is loaded. Does not belong here:
threads of our own (`logs.parallel`), how many threads a model may use (`adapters.minilm`).
"""

from __future__ import annotations

import os


def let_waiting_threads_sleep() -> None:
    """Make OpenMP's threads look for a moment and then sleep while they wait.

    They wait by looking unless told otherwise: where another process, or another run, wants the
    same cores, each then keeps the other from what both wait for. Embedding 229 texts beside one
    busy process took 1.8 to 3.1 s with threads that sleep and 10 to 29 s with threads that look;
    alone 1.3 and 1.2 s. Between two steps of one model they wait for microseconds, so they look
    that long: without it, the system wakes both on one core now and then. What the environment
    sets is left.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ["OMP_WAIT_POLICY"] = "passive"
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")
