"""llama.cpp in this process, with the real embedded model."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import xllamacpp

from annotator.describe.local import LONGEST_FIELDS, Local, threads
from annotator.describe.openai import OpenAi
from annotator.describe.outcome import Described, Failed, MaybePaid, Truncated, Unclear
from annotator.errors import LlmInvalid
from tests.commands import error_of


def test_a_real_model_answers_in_the_schema_and_the_file_is_in_the_key(real_gguf: Path) -> None:
    local = Local(real_gguf)
    try:
        request = local.request("You describe.", '"␣Italy" → "␣Rome", "␣Milan"', "0" * 64)
        reply = local.send(request)
    finally:
        local.close()
    assert isinstance(reply.outcome, Described | Unclear), reply
    assert len(reply.outcome.reasoning) <= LONGEST_FIELDS["reasoning"]
    assert reply.tokens_in > 0
    assert reply.tokens_out > 0
    assert local.name == f"local:{real_gguf.name}"
    assert request.model == local.digest
    assert request.key != local.request("You describe.", "another", "0" * 64).key


def test_an_answer_that_takes_too_long_is_given_up_and_lets_go_of_the_model(
    real_gguf: Path,
) -> None:
    local = Local(real_gguf, timeout=0.1)
    reply = local.send(local.request("You describe.", '"␣Italy" → "␣Rome"', "0" * 64))
    local.close()
    assert reply.outcome == MaybePaid("no answer within 0.1 seconds")


def test_threads_are_as_many_as_torch_would_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    for said, expected in (("3", 3), ("1", 1), ("", 7), ("0", 7), ("2,3", 7), ("-1", 7)):
        monkeypatch.setenv("OMP_NUM_THREADS", said)
        assert threads() == expected
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert threads() == 7


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(LlmInvalid, match="there is no such file"):
        Local(tmp_path / "absent.gguf")


@pytest.mark.parametrize("kept", [0, 3000, 20_000_000])
def test_a_file_that_llama_cpp_cannot_load(
    kept: int, real_gguf: Path, catalog: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.gguf"
    with real_gguf.open("rb") as whole:
        broken.write_bytes(whole.read(kept))
    said = error_of(capsys, "describe", catalog, "--llm", f"local:{broken}", "--heads", "L0H0")
    assert "local:broken.gguf cannot be asked: llama.cpp cannot load this file" in said
    local = Local(broken)
    assert local.count(local.request("", "Which?", "t")) is None
    local.close()


def test_a_server_that_is_none_of_ours(real_gguf: Path) -> None:
    """llama.cpp: another's reading of the protocol, and of schemas."""
    params = xllamacpp.CommonParams()
    params.model.path = str(real_gguf)
    params.n_ctx, params.n_parallel, params.n_gpu_layers = 512, 1, 0
    params.warmup, params.port, params.verbosity = False, 0, -1
    params.cpuparams.n_threads = threads()
    server = xllamacpp.Server(params)
    llm = OpenAi("m", server.listening_address + "/v1", temperature=0.0, max_tokens=60)
    whole = llm.send(llm.request("Say what maps inputs to outputs.", "France: Paris", "t"))
    cut = llm.send(llm.request("", "France: Paris", "t"), max_tokens=5)
    long = llm.send(llm.request("", "France: Paris" * 500, "t"))
    lost = OpenAi("m", server.listening_address + "/v7")
    elsewhere = lost.send(lost.request("", "France: Paris", "t"))
    for one in (llm, lost):
        one.close()
    del server
    assert isinstance(whole.outcome, Described | Unclear | Truncated)  # bound to the schema
    assert whole.text.startswith("{")
    assert whole.tokens_in > 0
    assert (cut.outcome, cut.tokens_out) == (Truncated(5), 5)
    assert isinstance(long.outcome, Failed)
    assert "context" in long.outcome.problem
    assert (long.outcome.status, long.outcome.again, long.outcome.fatal) == (400, False, False)
    assert isinstance(elsewhere.outcome, Failed)
    assert elsewhere.outcome.fatal
