"""A small knowledge base and rankers trained on it, once per session."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources as package_files

import numpy as np
import numpy.typing as npt
import pytest

from ocsf_pipeline.adapters.schema_package import EmbeddedSchemaSource
from ocsf_pipeline.classify.queries import LogQuery, build_query
from ocsf_pipeline.classify.ranker import Ranker, list_training_texts, train_ranker
from ocsf_pipeline.knowledge.chunks import build_class_chunks, examples_to_chunks
from ocsf_pipeline.knowledge.examples import LabelledExample, load_examples
from ocsf_pipeline.knowledge.hits import HIT_SCHEMA
from ocsf_pipeline.knowledge.packs import load_packs
from ocsf_pipeline.logs.single import normalize_texts
from ocsf_pipeline.schema.model import DEFAULT_VERSION, OcsfSchema
from ocsf_pipeline.schema.parse import parse_schema
from ocsf_pipeline_tests.fakes.class_index import FakeClassIndex
from ocsf_pipeline_tests.fakes.embedder import FakeEmbedder

PACKS = ("fortinet_fortigate", "linux_sshd", "okta", "squid")


@dataclass(frozen=True)
class Knowledge:
    """What rankers are trained on and asked with."""

    schema: OcsfSchema
    examples: list[LabelledExample]
    queries: list[LogQuery]
    index: FakeClassIndex
    embeddings: npt.NDArray[np.float32]
    """Of the queries, then of the noise."""


def make_queries(raws: list[str]) -> list[LogQuery]:
    records = normalize_texts(raws).records
    return [
        build_query(row["fields"], row["raw"], row["format"], row["vendor"], row["product"])
        for row in records.iter_rows(named=True)
    ]


@pytest.fixture(scope="session")
def knowledge() -> Knowledge:
    folder = package_files.files("ocsf_pipeline") / "packs"
    packs = load_packs(
        {name: (folder / f"{name}.yaml").read_text(encoding="utf-8") for name in PACKS}
    )
    schema = parse_schema(EmbeddedSchemaSource().fetch_schema(DEFAULT_VERSION).body)
    made: dict[str, LogQuery] = {}

    def query_texts(raws: list[str]) -> list[str]:
        made.update(zip(raws, make_queries(raws), strict=True))
        return [made[raw].text for raw in raws]

    examples = load_examples(packs, query_texts)  # type: ignore[arg-type]
    queries = [made[example.raw] for example in examples]
    chunks = [*build_class_chunks(schema), *examples_to_chunks(examples)]
    embeddings = FakeEmbedder().encode(list_training_texts(queries))
    return Knowledge(schema, examples, queries, FakeClassIndex(chunks), embeddings)


@pytest.fixture(scope="session")
def ranker(knowledge: Knowledge) -> Ranker:
    """Trained on the text alone."""
    return train_ranker(
        knowledge.schema, knowledge.examples, knowledge.queries, HIT_SCHEMA.to_frame()
    )


@pytest.fixture(scope="session")
def rich_ranker(knowledge: Knowledge) -> Ranker:
    """Trained with hits and embeddings."""
    hits = knowledge.index.search_chunks(list_training_texts(knowledge.queries), 12)
    return train_ranker(
        knowledge.schema, knowledge.examples, knowledge.queries, hits, knowledge.embeddings
    )
