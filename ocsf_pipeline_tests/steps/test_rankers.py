"""When the ranker is trained anew, and when it is loaded."""

from __future__ import annotations

import json
from importlib import resources as package_files

import pytest

from ocsf_pipeline.adapters.schema_package import EmbeddedSchemaSource
from ocsf_pipeline.classify.ranker import RANKER_FORMAT, RankerError
from ocsf_pipeline.knowledge.packs import SourcePack, load_packs
from ocsf_pipeline.ports import PermanentPortError
from ocsf_pipeline.schema.model import DEFAULT_VERSION, OcsfSchema
from ocsf_pipeline.schema.parse import parse_schema
from ocsf_pipeline.steps.knowledge import store_class_chunks, store_examples, update_knowledge_base
from ocsf_pipeline.steps.rankers import (
    _RANKERS,
    UpdatedRanker,
    find_ranker,
    has_ranker,
    load_ranker,
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


@pytest.fixture(scope="module")
def schema() -> OcsfSchema:
    return parse_schema(EmbeddedSchemaSource().fetch_schema(DEFAULT_VERSION).body)


@pytest.fixture(scope="module")
def pack() -> SourcePack:
    text = (package_files.files("ocsf_pipeline") / "packs" / "okta.yaml").read_text("utf-8")
    return load_packs({"okta": text})["okta"]


def test_the_ranker_follows_a_label_that_the_corpus_does_not_hold(
    schema: OcsfSchema, pack: SourcePack
) -> None:
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


def test_which_ranker_decides_is_known_without_reading_it(
    schema: OcsfSchema, pack: SourcePack
) -> None:
    artefacts, index = FakeObjectStore(), FakeClassIndex()
    store_class_chunks(artefacts, schema)
    trained = _update(artefacts, schema, index, pack).ranker
    assert load_ranker(artefacts, index.name).version == trained.version

    _RANKERS.clear()
    artefacts.write_object(f"classify/class_ranker/{trained.version}.npz", b"damage")
    found = find_ranker(artefacts, index.name)
    assert (found.version, found.threshold) == (trained.version, trained.threshold)
    with pytest.raises(RankerError, match="materialise `class_ranker` again"):
        found.load()

    healed = _update(artefacts, schema, index, pack)
    assert healed.is_changed
    assert healed.ranker.version == found.load().version == trained.version


def test_a_ranker_of_an_earlier_format_is_none(schema: OcsfSchema, pack: SourcePack) -> None:
    artefacts, index = FakeObjectStore(), FakeClassIndex()
    store_class_chunks(artefacts, schema)
    _update(artefacts, schema, index, pack)
    (key,) = [ref.key for ref in artefacts.list_objects("classify") if "/index-" in ref.key]
    pointer = json.loads(artefacts.read_object(key))
    pointer["signature"]["ranker_format"] = RANKER_FORMAT - 1
    del pointer["threshold"]
    artefacts.write_object(key, json.dumps(pointer).encode())
    assert not has_ranker(artefacts, index.name)
    with pytest.raises(PermanentPortError, match="materialise `class_ranker` first"):
        find_ranker(artefacts, index.name)
