"""docker-compose.yml as a compose implementation reads it, with secrets made for the occasion.

Belongs here: calling deploy/make_secrets.sh and podman-compose, which needs no engine to read a
file. Does not belong here: what the file must say.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
_ENGINE = Path(__file__).with_name("podman.sh")


def make_secrets(folder: Path) -> Path:
    """Run the script on a copy in `folder`; return the file of variables."""
    folder.mkdir(parents=True, exist_ok=True)
    script = shutil.copy(ROOT / "deploy" / "make_secrets.sh", folder)
    subprocess.run(["bash", script], check=True, capture_output=True)
    return folder / "compose.env"


def read_compose(*options: str) -> subprocess.CompletedProcess[str]:
    """Interpolate and print docker-compose.yml; nothing of the environment is seen."""
    program = Path(sys.executable).with_name("podman-compose")
    command = [program, "--podman-path", _ENGINE, *options, "config"]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, env={"PATH": "/usr/bin:/bin"}
    )
