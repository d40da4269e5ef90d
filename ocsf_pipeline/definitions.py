"""Dagster's entry: everything below `defs/`, with resources.

Belongs here: assembling. Does not belong here: any asset, resource or job of its own.
"""

from collections.abc import Mapping
from pathlib import Path

import dagster as dg

from ocsf_pipeline.resources import build_resources


def build_defs(resources: Mapping[str, object] | None = None) -> dg.Definitions:
    """Return all definitions with `resources` (the production ones by default).

    Tests hand in fakes by the same keys and so exercise the real wiring.
    """
    loaded = dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
    return dg.Definitions.merge(
        loaded,
        dg.Definitions(
            resources=dict(build_resources() if resources is None else resources),
            executor=dg.in_process_executor,
        ),
    )


@dg.definitions
def defs() -> dg.Definitions:
    """Return the production definitions."""
    return build_defs()
