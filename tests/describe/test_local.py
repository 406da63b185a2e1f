"""llama.cpp in this process, with the real embedded model."""

from __future__ import annotations

from pathlib import Path

import pytest

from annotator.describe.local import LONGEST, Local
from annotator.describe.outcome import Described, Unclear
from annotator.errors import LlmInvalid


def test_a_real_model_answers_in_the_schema_and_the_file_is_in_the_key(real_gguf: Path) -> None:
    local = Local(real_gguf)
    try:
        request = local.request("You describe.", '"␣Italy" → "␣Rome", "␣Milan"', "0" * 64)
        reply = local.send(request)
    finally:
        local.close()
    assert isinstance(reply.outcome, Described | Unclear), reply
    assert len(reply.outcome.reasoning) <= LONGEST
    assert reply.tokens_in > 0
    assert reply.tokens_out > 0
    assert local.name == f"local:{real_gguf.name}"
    assert request.model == local.digest
    assert request.key != local.request("You describe.", "another", "0" * 64).key


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(LlmInvalid, match="there is no such file"):
        Local(tmp_path / "absent.gguf")
