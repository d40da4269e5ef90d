"""The most memory that a process has held.

Belongs here: asking the system for it. Does not belong here: measuring anything else.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path


def read_peak_rss_bytes(pid: int | None = None) -> int | None:
    """Return the most memory that a process has held since it was started.

    Without `pid` it is this process. None is returned for another one where the system has no
    `/proc`. `getrusage` and `wait4` are asked only where there is nothing else: on Linux what they
    say includes what the parent held before the child's exec.
    """
    path = Path(f"/proc/{'self' if pid is None else pid}/status")
    if path.exists():
        line = next(line for line in path.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    if pid is not None:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
