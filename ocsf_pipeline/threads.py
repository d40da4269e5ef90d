"""How the threads of numeric libraries wait for each other.

Belongs here: variables that must be set before such a library is loaded. Does not belong here:
threads of our own (`logs.parallel`), how many threads a model may use (`adapters.minilm`).
"""

from __future__ import annotations

import os


def let_waiting_threads_sleep() -> None:
    """Make OpenMP's threads sleep while they wait, instead of looking again and again.

    They wait by looking unless told otherwise: where another process, or another run, wants the
    same cores, each then keeps the other from what both wait for. Embedding 229 texts beside one
    busy process took 1.8 to 3.1 s with threads that sleep and 10 to 29 s with threads that look;
    alone 1.3 and 1.2 s. What the environment sets is left.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
