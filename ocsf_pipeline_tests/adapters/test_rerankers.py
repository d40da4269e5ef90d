"""Every re-ranker, held to one contract."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ocsf_pipeline.adapters.chat_client import ChatClient
from ocsf_pipeline.adapters.chat_reranker import ChatReranker
from ocsf_pipeline.adapters.cross_encoder import CrossEncoderReranker
from ocsf_pipeline.ports import PermanentPortError, Reranker
from ocsf_pipeline_tests.contracts.reranker import RerankerContract, ask
from ocsf_pipeline_tests.fakes.chat_server import serve_chat
from ocsf_pipeline_tests.fakes.cross_encoder import build_cross_encoder
from ocsf_pipeline_tests.fakes.object_store import FakeObjectStore
from ocsf_pipeline_tests.fakes.reranker import FakeReranker


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_cross_encoder(tmp_path_factory.mktemp("models") / "tiny")


class TestFake(RerankerContract):
    @pytest.fixture
    def reranker(self) -> Reranker:
        return FakeReranker()


class TestChat(RerankerContract):
    @pytest.fixture
    def reranker(self) -> Iterator[Reranker]:
        with serve_chat() as server:
            yield ChatReranker(ChatClient(server.url, "m"), "m", FakeObjectStore())


@pytest.fixture(scope="module")
def cross_encoder(model_folder: Path) -> Reranker:
    return CrossEncoderReranker(str(model_folder), threads=2)


class TestCrossEncoder(RerankerContract):
    @pytest.fixture
    def reranker(self, cross_encoder: Reranker) -> Reranker:
        return cross_encoder

    def test_its_name_says_model_and_length(self, reranker: Reranker) -> None:
        assert reranker.name == "cross-encoder-tiny@256"

    def test_the_likeliest_pair_has_the_highest_score(self, reranker: Reranker) -> None:
        [answer] = reranker.rerank_candidates([ask()])
        assert sum(answer.scores) == pytest.approx(1.0)
        best = ask().candidates[answer.scores.index(max(answer.scores))]
        assert best.class_name in answer.note

    def test_a_question_without_candidates_has_no_answer(self, reranker: Reranker) -> None:
        [answer, other] = reranker.rerank_candidates([ask(count=0), ask()])
        assert answer.scores == ()
        assert len(other.scores) == 3


def test_a_cross_encoder_that_is_not_here_leaves_the_rankers_answer(tmp_path: Path) -> None:
    answers = CrossEncoderReranker(str(tmp_path / "absent")).rerank_candidates([ask(), ask()])
    assert [answer.scores for answer in answers] == [(), ()]
    assert "cannot load the cross-encoder" in answers[0].note
    assert not answers[0].is_final


def test_a_cross_encoder_by_name_is_looked_for_in_the_local_cache_only() -> None:
    [answer] = CrossEncoderReranker("nobody/no-such-model").rerank_candidates([ask()])
    assert "local Hugging Face cache" in answer.note


def test_a_model_of_several_outputs_is_no_reranker(tmp_path: Path) -> None:
    folder = build_cross_encoder(tmp_path / "three", outputs=3)
    with pytest.raises(PermanentPortError, match="3 outputs"):
        CrossEncoderReranker(str(folder))._load()
