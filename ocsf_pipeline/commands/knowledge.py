"""Schema, knowledge base and ranker for commands that classify: used where built, else built.

Belongs here: the order of the steps when there is no Dagster around. Does not belong here: the
steps themselves, when they are up to date (`steps`).
"""

from __future__ import annotations

from filelock import FileLock

from ocsf_pipeline import opening
from ocsf_pipeline.classify.ranker import RankerError
from ocsf_pipeline.commands.common import Say
from ocsf_pipeline.commands.query import has_tables
from ocsf_pipeline.ports import PermanentPortError
from ocsf_pipeline.settings import Settings
from ocsf_pipeline.steps.classify import Decider, load_decider
from ocsf_pipeline.steps.corrections import Corrections, load_corrections
from ocsf_pipeline.steps.knowledge import store_class_chunks, store_examples, update_knowledge_bases
from ocsf_pipeline.steps.mappings import store_hints
from ocsf_pipeline.steps.rankers import update_rankers
from ocsf_pipeline.steps.schema import store_schema


def open_decider(settings: Settings, say: Say) -> Decider:
    """Return what decides, building schema, knowledge base and ranker first where they lack."""
    decider = _load_ready(settings)
    if decider is not None:
        return decider
    folder = settings.data_dir
    folder.mkdir(parents=True, exist_ok=True)
    # Several commands started at once on a bare folder: one builds, the others wait and find it.
    with FileLock(folder / "prepare.lock"):
        decider = _load_ready(settings)
        if decider is None:
            say(
                f"building the knowledge base for OCSF {settings.schema_version} in "
                f"{settings.resolved_artefacts_url}; later runs use it"
            )
            build_knowledge(settings, say)
            decider = load_known(settings)
    return decider


def build_knowledge(settings: Settings, say: Say) -> Decider:
    """Bring schema, knowledge base and ranker up to date; what is unchanged costs little."""
    artefacts = opening.open_artefacts(settings)
    stored = store_schema(opening.open_schema_source(settings), artefacts, settings.schema_version)
    say(f"1/5 OCSF {stored.schema.version} from {stored.document.origin}")
    chunks = store_class_chunks(artefacts, stored.schema)
    say(f"2/5 {chunks.count:,} texts about the classes")
    packs = opening.open_packs(settings).read_packs()
    learned = _load_corrections(settings)
    examples = store_examples(artefacts, stored.schema, packs, learned.examples, learned.queries)
    say(
        f"3/5 {examples.rows.count:,} labelled examples, of {len(packs)} source packs and "
        f"{len(learned.examples):,} of overrides"
    )
    for problem in examples.problems:
        say(f"    left out: {problem.example.product}: {problem.reason}")
    _version, mapped = store_hints(artefacts, packs)
    say(f"    {mapped} packs with hints for mapping")
    say("4/5 embedding what is new")
    indexes = opening.open_class_indexes(settings)
    for updated in update_knowledge_bases(artefacts, indexes):
        plan = updated.plan
        say(
            f"    {updated.index_name}: {len(plan.upserts):,} added or changed, "
            f"{len(plan.deletes):,} removed"
        )
    ranker = update_rankers(artefacts, stored.schema, indexes, opening.open_embedder(settings))
    say(f"5/5 ranker {ranker.ranker.version}, {'trained' if ranker.is_changed else 'unchanged'}")
    return load_known(settings)


def _load_corrections(settings: Settings) -> Corrections:
    """Return what analysts taught; nothing where there are no tables yet."""
    if not has_tables(settings):
        return Corrections()
    return load_corrections(opening.open_tables(settings))


def load_known(settings: Settings) -> Decider:
    """Return the decider of what is in force; raises PermanentPortError where nothing is yet."""
    return load_decider(
        opening.open_artefacts(settings),
        opening.open_class_index(settings),
        opening.open_embedder(settings),
        settings.accept_threshold,
        opening.open_reranker(settings),
    )


def _load_ready(settings: Settings) -> Decider | None:
    """Return the decider, or None when something lacks, is of another release or unreadable."""
    try:
        decider = load_known(settings)
        # Damage shows when they are read, which hours without new templates never do.
        decider.ranker.load()
        decider.index.search_chunks(["log"], 1)
    except (PermanentPortError, RankerError):
        return None
    is_current = decider.schema.version == settings.schema_version
    return decider if is_current and decider.index.read_version() is not None else None
