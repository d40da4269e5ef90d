"""When the ranker is trained anew."""

from __future__ import annotations

from importlib import resources as package_files

from ocsf_pipeline.adapters.schema_package import EmbeddedSchemaSource
from ocsf_pipeline.knowledge.packs import SourcePack, load_packs
from ocsf_pipeline.schema.model import DEFAULT_VERSION, OcsfSchema
from ocsf_pipeline.schema.parse import parse_schema
from ocsf_pipeline.steps.knowledge import (
    UpdatedRanker,
    store_class_chunks,
    store_examples,
    update_knowledge_base,
    update_ranker,
)
from ocsf_pipeline_tests.fakes.class_index import FakeClassIndex
from ocsf_pipeline_tests.fakes.object_store import FakeObjectStore


def _accept_also(pack: SourcePack, class_uid: int) -> SourcePack:
    first = pack.events[0].model_copy(update={"acceptable": (class_uid,)})
    return pack.model_copy(update={"events": (first, *pack.events[1:])})


def _update(
    artefacts: FakeObjectStore, schema: OcsfSchema, index: FakeClassIndex, pack: SourcePack
) -> UpdatedRanker:
    store_examples(artefacts, schema, {pack.product: pack})
    update_knowledge_base(artefacts, index)
    return update_ranker(artefacts, schema, index, None)


def test_the_ranker_follows_a_label_that_the_corpus_does_not_hold() -> None:
    schema = parse_schema(EmbeddedSchemaSource().fetch_schema(DEFAULT_VERSION).body)
    text = (package_files.files("ocsf_pipeline") / "packs" / "okta.yaml").read_text("utf-8")
    pack = load_packs({"okta": text})["okta"]
    relabelled = _accept_also(pack, 6003)
    assert relabelled != pack
    artefacts, index = FakeObjectStore(), FakeClassIndex()
    store_class_chunks(artefacts, schema)

    first = _update(artefacts, schema, index, pack)
    assert first.is_changed
    assert not _update(artefacts, schema, index, pack).is_changed

    corpus = index.read_version()
    second = _update(artefacts, schema, index, relabelled)
    assert index.read_version() == corpus, "an acceptable class is no part of the corpus"
    assert second.is_changed
    assert second.ranker.version != first.ranker.version

    back = _update(artefacts, schema, index, pack)
    assert back.is_changed
    assert back.ranker.version == first.ranker.version
