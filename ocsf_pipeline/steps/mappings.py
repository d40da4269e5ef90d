"""Where mapping hints and compiled mappings lie, and which are new.

Belongs here: keeping the hints of the packs in force, compiling the templates that have no mapping
of the current version yet. Does not belong here: compiling (`events.compiler`).

Mappings lie under `events/mappings/<version>/`, where the version names the schema, the rules,
their tables, the hints and the profiles: a template is compiled once per version and class.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import polars as pl

from ocsf_pipeline.events.compiler import MappingCompiler
from ocsf_pipeline.events.hints import hints_from_json, hints_to_json, hints_version, make_hints
from ocsf_pipeline.events.mapping import EventMapping
from ocsf_pipeline.knowledge.packs import SourcePack
from ocsf_pipeline.ports import ObjectStore
from ocsf_pipeline.schema.model import OcsfSchema
from ocsf_pipeline.steps.artefacts import has_object, read_frame, write_frame

_HINTS = "knowledge/mapping_hints.json"
_MAPPINGS = "events/mappings"
_MAX_FILES = 24
_SCHEMA = pl.Schema(
    {"template_id": pl.String, "class_uid": pl.Int64, "basis": pl.String, "mapping": pl.String}
)


def store_hints(artefacts: ObjectStore, packs: Mapping[str, SourcePack]) -> tuple[str, int]:
    """Put the mapping hints of `packs` in force; return their version and how many packs map."""
    hints = make_hints(packs.values())
    body = hints_to_json(hints).encode()
    if not has_object(artefacts, _HINTS) or artefacts.read_object(_HINTS) != body:
        artefacts.write_object(_HINTS, body)
    return hints_version(hints), sum(pack.has_mapping for pack in packs.values())


def load_compiler(
    artefacts: ObjectStore, schema: OcsfSchema, with_datetime: bool = False
) -> MappingCompiler:
    """Return what compiles mappings by the hints in force; without any where none were stored."""
    body = artefacts.read_object(_HINTS) if has_object(artefacts, _HINTS) else b"[]"
    return MappingCompiler(schema, hints_from_json(body.decode()), with_datetime)


def compile_mappings(
    artefacts: ObjectStore, compiler: MappingCompiler, decisions: pl.DataFrame
) -> dict[str, EventMapping]:
    """Return the mapping of every row of `decisions` (DECISION_SCHEMA), by template_id.

    Those compiled before by the same version are read; the others are compiled and kept.
    """
    wanted = decisions.with_columns(_basis().alias("basis"))
    folder = f"{_MAPPINGS}/{compiler.version}"
    stored = _load(artefacts, folder).join(
        wanted, on=["template_id", "class_uid", "basis"], how="semi"
    )
    known = {
        template_id: EventMapping.from_json(text)
        for template_id, text in stored.select("template_id", "mapping").iter_rows()
    }
    new = wanted.filter(~pl.col("template_id").is_in(list(known)))
    if new.is_empty():
        return known
    compiled = compiler.compile_decisions(new)
    rows = new.select(
        "template_id",
        "class_uid",
        "basis",
        pl.Series("mapping", [compiled[name].to_json() for name in new["template_id"]]),
    )
    _store(artefacts, folder, rows)
    return known | compiled


def _basis() -> pl.Expr:
    """Return a digest of what a mapping is compiled from besides the class."""
    columns = ["sample_fields", "evidence", "format", "vendor", "product"]
    texts = [pl.col(name).fill_null("") for name in columns]
    return pl.concat_str(texts, separator="\x1f").map_elements(
        lambda text: hashlib.sha256(text.encode()).hexdigest()[:16], return_dtype=pl.String
    )


def _load(artefacts: ObjectStore, folder: str) -> pl.DataFrame:
    keys = sorted(ref.key for ref in artefacts.list_objects(folder))
    frames = [read_frame(artefacts, key, _SCHEMA.names()) for key in keys]
    return pl.concat([_SCHEMA.to_frame(), *frames]).unique(
        ["template_id", "class_uid"], keep="last"
    )


def _store(artefacts: ObjectStore, folder: str, rows: pl.DataFrame) -> None:
    """Add mappings; the file is named by its content, so a repeated run writes nothing new."""
    digest = hashlib.sha256("".join(rows["mapping"].sort()).encode()).hexdigest()[:16]
    write_frame(artefacts, f"{folder}/{digest}.parquet", rows)
    keys = sorted(ref.key for ref in artefacts.list_objects(folder))
    if len(keys) > _MAX_FILES:
        merged = _load(artefacts, folder)
        whole = hashlib.sha256("".join(keys).encode()).hexdigest()[:16]
        write_frame(artefacts, f"{folder}/{whole}.parquet", merged)
        for key in keys:
            artefacts.delete_object(key)
