"""`python -m ocsf_pipeline.bench`: one process per measurement, one JSON document on stdout.

Belongs here: options, child processes, putting figures together. Does not belong here: measuring.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

from ocsf_pipeline.bench.measure import MEASUREMENTS, Figures, Workplace, tell
from ocsf_pipeline.bench.memory import read_peak_rss_bytes
from ocsf_pipeline.commands.knowledge import open_decider
from ocsf_pipeline.opening import load_settings
from ocsf_pipeline.settings import Settings

_BUILDS_ON = {"cold": ("generate",), "warm": ("generate", "cold"), "skewed": ("generate", "cold"),
              "per_log": ("generate", "cold"), "parts": ("generate", "cold"),
              "scans": ("generate", "cold"), "reading": ("generate",)}  # fmt: skip
_WITHOUT_KNOWLEDGE = {"generate", "ingest", "reading"}
_PACKAGES = ("ocsf-pipeline", "polars", "chdb", "torch")


def run_bench(
    events: Annotated[int, typer.Option(min=1_000, help="Logs of an hour.")] = 1_000_000,
    only: Annotated[
        list[str] | None,
        typer.Option(help=f"Measure only this; one of {', '.join(MEASUREMENTS)}. Repeatable."),
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder of the knowledge base; built where it lacks.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the made logs.")] = 1,
    child: Annotated[str | None, typer.Option(hidden=True)] = None,
    folder: Annotated[Path | None, typer.Option(hidden=True)] = None,
) -> None:
    """Measure the pipeline from zstd objects to chDB on made logs and print JSON.

    `cold`: no template is known. `warm`: new objects, all templates known. `skewed`: the same, few
    templates having most of the logs, as in real hours. `reading`: reading alone, without any
    knowledge. `per_log`: deciding each log by itself, on a sample. `parts`: each part of the work
    alone. `mapping`: mapping alone, with 10, 100 and 300 templates in a batch. `scans`: compiled
    passes beside expressions that do the same. `ingest`: load on the endpoint.
    """
    unknown = set(only or ()) - set(MEASUREMENTS)
    if unknown:
        raise typer.BadParameter(f"--only {unknown.pop()}: one of {', '.join(MEASUREMENTS)}")
    settings = load_settings(
        {**os.environ, **({"OCSF_PIPELINE_DATA_DIR": str(data_dir)} if data_dir else {})}
    )
    if child is not None and folder is not None:
        place = Workplace(settings, folder, events, seed)
        figures = MEASUREMENTS[child](place)
        typer.echo(json.dumps({**figures, "peak_rss_bytes": read_peak_rss_bytes()}))
        return
    chosen = choose_measurements(only)
    if not _WITHOUT_KNOWLEDGE.issuperset(chosen):
        open_decider(settings, tell)
    with tempfile.TemporaryDirectory(prefix="ocsf-bench-") as temporary:
        place = Workplace(settings, Path(temporary), events, seed)
        measured = {name: _run_child(name, place) for name in chosen}
    typer.echo(json.dumps(put_together(measured, events, settings), indent=1))


def choose_measurements(only: list[str] | None) -> list[str]:
    """Return the measurements to run, with those that they build on, in order."""
    wanted = set(only or MEASUREMENTS)
    wanted.update(*(_BUILDS_ON.get(name, ()) for name in wanted))
    return [name for name in MEASUREMENTS if name in wanted]


def put_together(measured: dict[str, Figures], events: int, settings: Settings) -> Figures:
    """Return the document: the figures, what they compare to, and where they were taken."""
    document: Figures = {
        "events": events,
        "machine": {
            "cpu_count": os.cpu_count(),
            "workers": settings.workers,
            "system": f"{platform.system()} {platform.machine()}",
            "python": platform.python_version(),
            "packages": {name: metadata.version(name) for name in _PACKAGES},
        },
        **measured,
    }
    if "per_log" in measured and "warm" in measured:
        per_template = measured["warm"]["seconds"] / events
        alone = 1 / measured["per_log"]["events_per_s"]
        document["per_log"]["seconds_per_event_ratio"] = (per_template + alone) / per_template
    return document


def _run_child(name: str, place: Workplace) -> Figures:
    """Run one measurement in a fresh process, so that memory and caches are its own."""
    tell(f"measuring: {name}")
    command = [
        sys.executable, "-m", "ocsf_pipeline.bench", "--child", name, "--folder",
        str(place.folder), "--events", str(place.event_count), "--seed", str(place.seed),
        "--data-dir", str(place.settings.data_dir),
    ]  # fmt: skip
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False, text=True)
    if done.returncode:
        tell(f"the measurement {name!r} failed with exit code {done.returncode}; see above")
        sys.exit(1)
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


if __name__ == "__main__":
    typer.run(run_bench)
