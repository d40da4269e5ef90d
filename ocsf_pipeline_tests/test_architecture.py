"""The rules of the layout, held by looking at the code and at fresh interpreters."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "ocsf_pipeline"
WIRING = ("opening", "resources", "stores")
STAGES = ("schema", "knowledge", "logs", "classify", "events", "tables")
PURE = (*STAGES, "ports.py", "settings.py")
OUTSIDE = (
    "dagster", "httpx", "clickhouse_connect", "chdb", "obstore", "sentence_transformers", "torch",
    "trieve_py_client", "typer",
)  # fmt: skip
MAX_LINES = 400

MODULES = sorted(PACKAGE.rglob("*.py"))


def list_imports(path: Path) -> Iterator[str]:
    """Yield every name that a module imports, `import` statements in functions included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def place_of(path: Path) -> str:
    """Return the first part of a module's place in the package, e.g. `logs` or `ports.py`."""
    return path.relative_to(PACKAGE).parts[0]


def name_of(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def find_imports(places: tuple[str, ...], forbidden: tuple[str, ...]) -> list[str]:
    """Return the imports of `forbidden` modules of ours by modules in `places`."""
    prefixes = tuple(f"ocsf_pipeline.{name}" for name in forbidden)
    return [
        f"{name_of(path)} imports {imported}"
        for path in MODULES
        if place_of(path) in places
        for imported in list_imports(path)
        if any(f"{imported}.".startswith(f"{prefix}.") for prefix in prefixes)
    ]


@pytest.mark.parametrize("place", PURE)
def test_pure_modules_load_without_dagster_or_clients(place: str) -> None:
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in MODULES
        if place_of(path) == place
    ]
    code = (
        f"import importlib, sys\nfor name in {modules!r}: importlib.import_module(name)\n"
        f"print([name for name in {OUTSIDE!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_stages_know_no_adapter_no_step_and_no_front() -> None:
    beyond = ("adapters", "steps", *WIRING, "ingest", "definitions", "defs",
              "commands", "cli", "bench", "demo", "samples")  # fmt: skip
    assert find_imports((*STAGES, "ports.py", "settings.py"), beyond) == []


def test_steps_know_ports_and_stages_only() -> None:
    beyond = ("adapters", *WIRING, "ingest", "definitions", "defs", "commands",
              "cli", "bench", "demo")  # fmt: skip
    assert find_imports(("steps",), beyond) == []


def test_adapters_know_no_step_and_no_front() -> None:
    beyond = ("steps", *WIRING, "ingest", "definitions", "defs", "commands", "cli",
              "bench", "demo")  # fmt: skip
    assert find_imports(("adapters",), beyond) == []


def test_the_endpoint_knows_ports_and_how_logs_are_read_only() -> None:
    beyond = (
        "adapters", "steps", *WIRING, "definitions", "defs", "commands", "cli",
        "bench", "demo", "settings", "schema", "knowledge", "classify", "events", "tables",
    )  # fmt: skip
    assert find_imports(("ingest",), beyond) == []


def test_the_endpoint_starts_without_dagster_and_models() -> None:
    code = (
        "import sys, ocsf_pipeline.commands.ingest\n"
        "heavy = ('dagster', 'torch', 'sentence_transformers', 'chdb', 'bm25s', 'sklearn')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr


def test_commands_start_without_dagster_and_models() -> None:
    code = (
        "import sys, ocsf_pipeline.commands.knowledge, ocsf_pipeline.commands.query\n"
        "heavy = ('dagster', 'torch', 'sentence_transformers', 'transformers', 'sklearn')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr


def test_nothing_imports_defs() -> None:
    everything = tuple({place_of(path) for path in MODULES} - {"defs"})
    assert find_imports(everything, ("defs",)) == []


def test_stages_do_not_ask_for_the_time_or_the_environment() -> None:
    asked = []
    for path in MODULES:
        if place_of(path) not in STAGES or path.name == "benchmark.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute):
                text = ast.unparse(node)
                if text.endswith((".now", ".utcnow", ".today", "time.time")) or text.startswith(
                    ("os.environ", "os.getenv")
                ):
                    asked.append(f"{name_of(path)}: {text}")
    assert asked == []


def test_dagster_files_keep_their_annotations() -> None:
    postponed = [
        name_of(path)
        for path in MODULES
        if place_of(path) == "defs" and "__future__.annotations" in list_imports(path)
    ]
    assert postponed == []


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_says_what_it_is_for_and_stays_short(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    docstring = ast.get_docstring(ast.parse(text))
    assert docstring, "say in a docstring what belongs here and what does not"
    assert len(text.splitlines()) <= MAX_LINES, "split the module"


def test_every_stage_has_its_tests() -> None:
    missing = [
        stage
        for stage in STAGES
        if not list((ROOT / "ocsf_pipeline_tests" / stage).glob("test_*.py"))
    ]
    assert missing == []
