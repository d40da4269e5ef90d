"""Passes are compiled ahead by using all of them."""

import os
import subprocess
import sys
from pathlib import Path

from ocsf_pipeline.commands.compile_passes import compile_passes

MAKEFILE = Path(__file__).parents[2] / "Makefile"
ASK = """
import numba
from numba.core.dispatcher import Dispatcher
from ocsf_pipeline.commands.compile_passes import compile_passes
compile_passes()
from ocsf_pipeline.events import fill, json_scan, quick_values
from ocsf_pipeline.logs import (
    elements, found, found_times, nested_names, payloads, plain_headers, plain_pairs,
    special_bytes, stamps, survey, textplaces,
)
loops = (
    fill._fill_rows, json_scan.scan_texts, elements.write_xml_pairs, found._find_values,
    found_times._find_times, nested_names._find_rows, plain_headers._read_headers,
    special_bytes._find_special, stamps._read_stamps, survey._survey_texts,
    textplaces.write_views,
)
loops = [loop for loop in loops if isinstance(loop, Dispatcher)]
print(len(loops), [loop.__name__ for loop in loops if not loop.signatures])
"""


def test_every_sample_is_read_and_mapped() -> None:
    assert compile_passes() > 400


def test_the_loops_of_all_stages_are_compiled_by_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ASK], capture_output=True, text=True, env=dict(os.environ)
    )
    assert done.returncode == 0, done.stderr
    count, left = done.stdout.strip().split(" ", 1)
    assert int(count) >= 8
    assert left == "[]"


def test_make_compiles_them_when_it_installs() -> None:
    recipe = MAKEFILE.read_text("utf-8").split("$(PASSES):", 1)[1].split("\n\n", 1)[0]
    assert "-m ocsf_pipeline.commands.compile_passes" in recipe
