"""What the embedded index adds to the contract: versions, crashes, reuse of vectors."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocsf_pipeline.adapters.embedded_index import EmbeddedClassIndex
from ocsf_pipeline.knowledge.chunks import ClassChunk, corpus_version, make_chunk
from ocsf_pipeline.knowledge.plan import plan_index
from ocsf_pipeline.ports import PermanentPortError
from ocsf_pipeline_tests.contracts.class_index import CHUNKS
from ocsf_pipeline_tests.fakes.embedder import FakeEmbedder
from ocsf_pipeline_tests.fakes.folder_store import FolderStore
from ocsf_pipeline_tests.fakes.object_store import FakeObjectStore

POINTER = "knowledge/index/current.json"


def fill(index: EmbeddedClassIndex, chunks: list[ClassChunk]) -> str:
    index.apply_plan(plan_index(index.read_state(), chunks))
    return corpus_version(chunks)


def corpus(number: int) -> list[ClassChunk]:
    extra = make_chunk(f"extra:{number}", 4001, "example", f"traffic of corpus {number}")
    return [*CHUNKS, extra]


def versions_in(store: FakeObjectStore) -> set[str]:
    return set(store.list_folders("knowledge/index/versions"))


# --- only what changed is embedded ---


def test_only_new_texts_are_embedded() -> None:
    embedder = FakeEmbedder()
    index = EmbeddedClassIndex(FakeObjectStore(), embedder)
    fill(index, CHUNKS)
    assert sorted(embedder.encoded) == sorted(chunk.text for chunk in CHUNKS)
    embedder.encoded.clear()
    fill(index, corpus(1))
    assert embedder.encoded == ["traffic of corpus 1"]


def test_a_relabelled_chunk_is_not_embedded_again() -> None:
    embedder = FakeEmbedder()
    index = EmbeddedClassIndex(FakeObjectStore(), embedder)
    fill(index, CHUNKS)
    embedder.encoded.clear()
    moved = make_chunk("example:pack:acme_dns:0001", 4001, "example", CHUNKS[-1].text)
    fill(index, [*CHUNKS[:-1], moved])
    assert embedder.encoded == []
    assert index.search_chunks([moved.text], 1)["class_uid"].item() == 4001


def test_an_unchanged_corpus_writes_nothing() -> None:
    store = FakeObjectStore()
    index = EmbeddedClassIndex(store, FakeEmbedder())
    fill(index, CHUNKS)
    writes = list(store.writes)
    fill(index, CHUNKS)
    assert store.writes == writes


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sets(st.integers(0, 6), min_size=1), min_size=1, max_size=4))
def test_any_way_to_a_corpus_gives_the_same_index(steps: list[set[int]]) -> None:
    def build(parts: set[int]) -> list[ClassChunk]:
        return [make_chunk(f"c{n}", n, "overview", f"word{n} shared") for n in sorted(parts)]

    walked = EmbeddedClassIndex(FakeObjectStore(), FakeEmbedder())
    for step in steps:
        fill(walked, build(step))
    direct = EmbeddedClassIndex(FakeObjectStore(), FakeEmbedder())
    fill(direct, build(steps[-1]))
    assert walked.read_state() == direct.read_state()
    queries = ["word1 shared", "word5"]
    assert walked.search_chunks(queries, 7).equals(direct.search_chunks(queries, 7))


# --- versions ---


def test_another_process_finds_what_was_written() -> None:
    store = FakeObjectStore()
    version = fill(EmbeddedClassIndex(store, FakeEmbedder()), CHUNKS)
    other = EmbeddedClassIndex(store, FakeEmbedder())
    assert other.read_state().corpus_version == version
    assert other.search_chunks(["process launched"], 1)["class_uid"].item() == 1007


def test_a_reader_follows_the_pointer_and_reads_a_version_once() -> None:
    store = FakeObjectStore()
    writer, reader = (EmbeddedClassIndex(store, FakeEmbedder()) for _ in range(2))
    fill(writer, CHUNKS)
    reader.search_chunks(["x"], 1)
    store.reads.clear()
    reader.search_chunks(["x"], 1)
    assert store.reads == []
    fill(writer, corpus(1))
    assert "extra:1" in set(reader.search_chunks(["traffic of corpus 1"], 9)["chunk_id"])


def test_the_last_five_versions_are_retained() -> None:
    store = FakeObjectStore()
    index = EmbeddedClassIndex(store, FakeEmbedder())
    made = [fill(index, corpus(number)) for number in range(7)]
    retained = index.list_versions()
    assert [item.corpus_version for item in retained] == made[2:]
    assert [item.is_current for item in retained] == [False] * 4 + [True]
    assert versions_in(store) == {item.version for item in retained}


def test_an_earlier_version_can_be_selected() -> None:
    store = FakeObjectStore()
    index = EmbeddedClassIndex(store, FakeEmbedder())
    first, second = fill(index, corpus(1)), fill(index, corpus(2))
    state = index.select_version(first)
    assert state.corpus_version == first
    assert "extra:1" in state.chunk_hashes
    held = set(index.search_chunks(["traffic"], 9)["chunk_id"])
    assert "extra:1" in held
    assert "extra:2" not in held
    assert {item.corpus_version for item in index.list_versions()} == {first, second}
    with pytest.raises(PermanentPortError, match=f"no retained index version 'nope'.*{first}"):
        index.select_version("nope")


def test_going_back_to_a_retained_corpus_embeds_nothing() -> None:
    embedder = FakeEmbedder()
    index = EmbeddedClassIndex(FakeObjectStore(), embedder)
    fill(index, corpus(1))
    fill(index, corpus(2))
    embedder.encoded.clear()
    fill(index, corpus(1))
    assert embedder.encoded == []
    assert "extra:1" in index.read_state().chunk_hashes


def test_what_a_killed_writer_left_is_removed_later_not_at_once() -> None:
    store = FakeObjectStore()
    key = "knowledge/index/versions/left-over/chunks.jsonl"
    left = store.write_object(key, b"")
    index = EmbeddedClassIndex(store, FakeEmbedder())
    fill(index, corpus(1))
    assert store.head_object(key) is not None
    store.advance(timedelta(days=2))
    fill(index, corpus(2))
    assert store.head_object(left.key) is None
    assert len(versions_in(store)) == 2


# --- crashes and damage ---


def test_a_kill_at_any_write_leaves_the_old_version_in_force() -> None:
    store = FakeObjectStore()
    index = EmbeddedClassIndex(store, FakeEmbedder())
    before = fill(index, corpus(1))
    start = len(store.writes)
    fill(index, corpus(2))
    keys_written = len(store.writes) - start
    index.select_version(before)
    assert keys_written == 5

    for survivors in range(keys_written):
        crashed = FakeObjectStore(
            {ref.key: store.read_object(ref.key) for ref in _only(store, before)}
        )
        crashed.write_object(POINTER, store.read_object(POINTER))

        def die(key: str, left: list[int] = [survivors]) -> None:  # noqa: B006
            if left[0] == 0:
                raise KeyboardInterrupt
            left[0] -= 1

        crashed.before_write = die
        writer = EmbeddedClassIndex(crashed, FakeEmbedder())
        with pytest.raises(KeyboardInterrupt):
            fill(writer, corpus(2))
        crashed.before_write = None
        for reader in (writer, EmbeddedClassIndex(crashed, FakeEmbedder())):
            assert reader.read_state().corpus_version == before
            assert "extra:1" in set(reader.search_chunks(["traffic"], 9)["chunk_id"])
        after = fill(writer, corpus(2))
        assert EmbeddedClassIndex(crashed, FakeEmbedder()).read_state().corpus_version == after


def _only(store: FakeObjectStore, version: str) -> list:
    return [ref for ref in store.list_objects("knowledge/index/versions") if version in ref.key]


@pytest.mark.parametrize("name", ["chunks.jsonl", "vectors.npz", "lexical.npz", "manifest.json"])
@pytest.mark.parametrize("damage", [b"", b"{}", b"damage", None])
def test_damage_is_told_and_healed(name: str, damage: bytes | None) -> None:
    store = FakeObjectStore()
    version = fill(EmbeddedClassIndex(store, FakeEmbedder()), CHUNKS)
    (key,) = [ref.key for ref in store.list_objects("knowledge") if ref.key.endswith(name)]
    if damage is None:
        store.delete_object(key)
    else:
        store.write_object(key, damage)
    index = EmbeddedClassIndex(store, FakeEmbedder())
    with pytest.raises(PermanentPortError, match="materialise `knowledge_base` again"):
        index.search_chunks(["x"], 1)
    assert index.read_state().corpus_version is None
    assert fill(index, CHUNKS) == version
    assert index.search_chunks(["process launched"], 1)["class_uid"].item() == 1007


def test_a_damaged_pointer_is_told_and_healed() -> None:
    store = FakeObjectStore()
    fill(EmbeddedClassIndex(store, FakeEmbedder()), CHUNKS)
    store.write_object(POINTER, b"{")
    index = EmbeddedClassIndex(store, FakeEmbedder())
    with pytest.raises(PermanentPortError, match=r"current\.json is damaged"):
        index.search_chunks(["x"], 1)
    fill(index, CHUNKS)
    assert len(index.search_chunks(["x"], 1)) == 1


def test_the_version_is_told_without_reading_what_it_names() -> None:
    store = FakeObjectStore()
    version = fill(EmbeddedClassIndex(store, FakeEmbedder()), CHUNKS)
    for ref in _only(store, version):
        if not ref.key.endswith("manifest.json"):
            store.delete_object(ref.key)
    assert EmbeddedClassIndex(store, FakeEmbedder()).read_version() == version
    assert EmbeddedClassIndex(store, FakeEmbedder("two")).read_version() is None


def test_nothing_is_pickled() -> None:
    store = FakeObjectStore()
    fill(EmbeddedClassIndex(store, FakeEmbedder()), CHUNKS)
    key = next(ref.key for ref in store.list_objects("") if ref.key.endswith("vectors.npz"))
    store_path = store.read_object(key)
    assert b"descr" in store_path
    assert b"'|O'" not in store_path


# --- embedders ---


def test_vectors_of_another_embedder_are_not_used() -> None:
    store = FakeObjectStore()
    fill(EmbeddedClassIndex(store, FakeEmbedder("one")), CHUNKS)
    two = EmbeddedClassIndex(store, FakeEmbedder("two"))
    with pytest.raises(PermanentPortError, match="embedded by one, the configured embedder is two"):
        two.search_chunks(["x"], 1)
    assert two.read_state().corpus_version is None
    fill(two, CHUNKS)
    assert len(two.search_chunks(["x"], 1)) == 1
    assert len(versions_in(store)) == 2


# --- scores ---


def test_scores_are_the_cosine_and_bm25() -> None:
    embedder = FakeEmbedder()
    index = EmbeddedClassIndex(FakeObjectStore(), embedder)
    fill(index, CHUNKS)
    hits = index.search_chunks(["dns queries and answers"], 5)
    vectors = embedder.encode([chunk.text for chunk in CHUNKS])
    cosines = vectors @ embedder.encode(["dns queries and answers"])[0]
    expected = {chunk.chunk_id: cosine for chunk, cosine in zip(CHUNKS, cosines, strict=True)}
    for row in hits.iter_rows(named=True):
        assert row["dense_score"] == pytest.approx(expected[row["chunk_id"]], abs=2e-3)
    assert hits["lexical_score"][0] > 0
    assert hits["lexical_score"].min() == 0


def test_blocks_of_queries_give_what_single_queries_give() -> None:
    index = EmbeddedClassIndex(FakeObjectStore(), FakeEmbedder())
    fill(index, CHUNKS)
    queries = [f"user {number} logs on" if number % 2 else "dns query" for number in range(600)]
    hits = index.search_chunks(queries, 3)
    assert hits["query_no"].unique().to_list() == list(range(600))
    for number in (0, 255, 256, 599):
        alone = index.search_chunks([queries[number]], 3).drop("query_no")
        assert hits.filter(query_no=number).drop("query_no").equals(alone)


def test_five_thousand_chunks_are_searched_quickly() -> None:
    words = [f"w{number}" for number in range(2_000)]
    picks = np.random.default_rng(7).integers(0, len(words), size=(5_000, 40))
    chunks = [
        make_chunk(f"c{row}", row % 60, "example", " ".join(words[pick] for pick in picks[row]))
        for row in range(len(picks))
    ]
    index = EmbeddedClassIndex(FakeObjectStore(), FakeEmbedder(dimensions=384))
    fill(index, chunks)
    queries = [chunk.text for chunk in chunks[:200]]
    started = time.perf_counter()
    hits = index.search_chunks(queries, 50)
    assert time.perf_counter() - started < 5.0
    best = hits.filter(rank=0)
    assert best["chunk_id"].to_list() == [chunk.chunk_id for chunk in chunks[:200]]


# --- several processes ---

READER = """
import sys, time
from pathlib import Path
from ocsf_pipeline.adapters.embedded_index import EmbeddedClassIndex
from ocsf_pipeline_tests.fakes.embedder import FakeEmbedder
from ocsf_pipeline_tests.fakes.folder_store import FolderStore

root = Path(sys.argv[1])
index = EmbeddedClassIndex(FolderStore(root), FakeEmbedder())
seen = set()
(root / f"ready-{sys.argv[2]}").touch()
deadline = time.monotonic() + 30
while time.monotonic() < deadline:
    is_last = (root / "done").exists()
    hits = index.search_chunks(["traffic of corpus"], 50)
    extras = [chunk_id for chunk_id in hits["chunk_id"] if chunk_id.startswith("extra:")]
    assert len(hits) == 6 and len(extras) == 1, hits
    seen.add(extras[0])
    if is_last:
        break
print(" ".join(sorted(seen)))
"""


def test_two_processes_read_while_one_writes(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    writer = EmbeddedClassIndex(store, FakeEmbedder(), retained_versions=5)
    fill(writer, corpus(0))
    readers = [
        subprocess.Popen(
            [sys.executable, "-c", READER, str(tmp_path), str(number)],
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(2)
    ]
    deadline = time.monotonic() + 30
    while len(list(tmp_path.glob("ready-*"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    for number in range(1, 9):
        fill(writer, corpus(number))
    tmp_path.joinpath("done").touch()
    for reader in readers:
        out, err = reader.communicate(timeout=40)
        assert reader.returncode == 0, err
        assert "extra:8" in out.split()
        assert len(out.split()) >= 2, "it read while versions changed"
