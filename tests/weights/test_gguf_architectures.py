"""Each GGUF architecture against llama.cpp's own logits and against safetensors.

The first proof is that a file means what transformers computes, which llama.cpp says; the second,
of the same file, that we read from it what we read from the checkpoint that transformers saves.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from torch import nn

from annotator.weights.check_tensors import verify
from annotator.weights.gguf import ARCHITECTURES, GgufFile
from annotator.weights.model import open_model
from tests import tiny
from tests.tokens.llama_cpp import LlamaCpp
from tests.weights.gguf_files import (
    Fold,
    as_it_is,
    gguf_name,
    tensors,
    turned,
    with_one_added,
    with_permuted_queries_and_keys,
)
from tests.weights.gguf_models import RECIPES, VOCAB, Written, written

PROMPTS = [[5, 300, 17, 42], [1, 280, 290, 9, 260, 301, 77, 33, 128, 4], [*range(3, 330, 9)]]
TOLERANCE = 5e-4
"""Of log-probabilities. Seen: 4e-6 with SiLU, 6e-5 with GELU; written wrongly: 0.6 and more."""


class LlamaCppGelu(nn.Module):
    """GELU as llama.cpp has it on the CPU: from a table, of and in half precision (ggml/vec.h).

    Without it the logits of GELU's architectures differ by up to 3e-3.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        looked_up = nn.functional.gelu(x.half().float(), approximate="tanh").half().float()
        return torch.where(x.abs() < 10, looked_up, x.clamp(min=0))


@pytest.fixture(scope="module", params=RECIPES)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Written:
    return written(request.param, tmp_path_factory.mktemp("written"))


def expected(module: transformers.PreTrainedModel, prompt: list[int]) -> np.ndarray:
    """transformers' log-probabilities after a prompt."""
    kept = {
        name: part
        for name, part in module.named_modules()
        if type(part).__name__ in ("GELUTanh", "NewGELUActivation")
    }
    try:
        for name in kept:
            module.set_submodule(name, LlamaCppGelu())
        with torch.no_grad():
            logits = module(torch.tensor([prompt])).logits[0, -1]
    finally:
        for name, part in kept.items():
            module.set_submodule(name, part)
    return logits.double().log_softmax(-1).numpy()


def largest_difference(model: Written) -> float:
    """Between llama.cpp and transformers, over all prompts and the whole vocabulary."""
    served = LlamaCpp(model.path)
    try:
        return max(
            float(np.abs(served.log_probabilities(p, VOCAB) - expected(model.module, p)).max())
            for p in PROMPTS
        )
    finally:
        served.close()


def test_llama_cpp_computes_from_the_file_what_transformers_computes(model: Written) -> None:
    assert largest_difference(model) < TOLERANCE


def but_for(part: str, fold: Fold) -> Fold:
    """A fold that leaves some tensors as they are."""
    return lambda name, data, config: data if part in name else fold(name, data, config)


def with_the_embedding_scaled(name: str, data: np.ndarray, config: Any) -> np.ndarray:
    scale = np.float32(config.hidden_size**0.5 if "embed_tokens" in name else 1)
    return with_one_added(name, data * scale, config)


def with_up_before_gate(name: str, data: np.ndarray, config: Any) -> np.ndarray:
    return np.concatenate(np.split(data, 2)[::-1]) if "gate_up" in name else data


def with_values_first(name: str, data: np.ndarray, config: Any) -> np.ndarray:
    return np.roll(data, data.shape[0] // 3, axis=0) if "qkv_proj" in name else data


def without_value_biases(name: str, data: np.ndarray, config: Any) -> np.ndarray:
    return data * np.float32(not name.endswith("v_proj.bias"))


WRONG: list[tuple[str, Fold]] = [
    ("llama", as_it_is),
    ("qwen2", with_permuted_queries_and_keys),
    ("qwen2", without_value_biases),
    ("qwen3", with_permuted_queries_and_keys),
    *(
        (gemma, fold)
        for gemma in ("gemma2", "gemma3")
        for fold in (
            as_it_is,
            but_for("layers.0.pre_feedforward_layernorm", with_one_added),
            but_for("layers.0.post_feedforward_layernorm", with_one_added),
            with_the_embedding_scaled,
        )
    ),
    ("gpt2", but_for(".0.attn.c_proj", turned)),  # the one that is square
    ("phi3", with_up_before_gate),
    ("phi3-mha", with_values_first),
]


@pytest.mark.parametrize(("recipe", "fold"), WRONG)
def test_llama_cpp_tells_a_file_that_is_written_wrongly(
    tmp_path: Path, recipe: str, fold: Fold
) -> None:
    assert largest_difference(written(recipe, tmp_path, fold)) > 100 * TOLERANCE


def test_matrices_equal_those_of_safetensors(model: Written, tmp_path: Path) -> None:
    theirs = open_model(tiny.save(tmp_path / "folder", model.module))
    ours = open_model(model.path)
    verify(ours.plan)
    assert ours.dims == theirs.dims
    assert ours.plan.tied == theirs.plan.tied
    assert ours.plan.constants() == theirs.plan.constants()
    assert torch.equal(ours.W_E(), theirs.W_E())
    assert torch.equal(ours.W_U(), theirs.W_U())
    for layer in range(theirs.dims.n_layers):
        heads, others = ours.heads(layer), theirs.heads(layer)
        assert torch.equal(heads.W_V, others.W_V)
        assert torch.equal(heads.W_O, others.W_O)
        assert (heads.b_V is None) == (others.b_V is None)
        assert heads.b_V is None or torch.equal(heads.b_V, others.b_V)
    x, read, saved = theirs.W_E(), ours.first_mlp(), theirs.first_mlp()
    for norm, other in ((read.norm, saved.norm), (read.post_norm, saved.post_norm)):
        # Exact for Gemma too: what was rounded with one added loses nothing with one taken away.
        assert (norm is None) == (other is None)
        assert norm is None or torch.equal(norm.weight, other.weight)
    torch.testing.assert_close(read(x), saved(x), rtol=1e-5, atol=1e-6)


def test_the_header_becomes_the_config(model: Written) -> None:
    ours, config = GgufFile(model.path), model.module.config
    assert ours.config["model_type"] == config.model_type
    said = {key: getattr(config, key) for key in ours.config}
    if said.get("n_inner", 0) is None:  # a header says the number
        said["n_inner"] = 4 * config.n_embd
    assert ours.config == said


def test_names_and_bytes_are_those_of_the_file(model: Written) -> None:
    ours, state = open_model(model.path), model.module.state_dict()
    stored = tensors(model.module, model.architecture)
    names = set(ours.source.names())
    assert {need.name for need in ours.plan.needs()} <= names <= set(state)
    for name in names:
        assert ours.source.shape(name) == tuple(state[name].shape)
        assert ours.source.read(name).shape == ours.source.shape(name)
        data = stored[gguf_name(name, model.architecture)]
        assert bytes(ours.source.raw(name)) == data.tobytes()


@pytest.mark.parametrize(
    ("recipe", "changes", "wrong"),
    [
        ("gemma2", {"plus_one": ()}, "norm"),
        ("gemma3", {"plus_one": ()}, "norm"),
        ("gpt2", {"turned": ("transformer.h.{layer}.attn.c_attn",)}, "W_O"),
    ],
)
def test_an_entry_that_undoes_too_little_reads_something_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recipe: str, changes: Any, wrong: str
) -> None:
    model = written(recipe, tmp_path)
    right = open_model(model.path)
    entry = ARCHITECTURES[model.architecture]
    monkeypatch.setitem(ARCHITECTURES, model.architecture, replace(entry, **changes))
    changed, x = open_model(model.path), right.W_E()
    assert torch.equal(changed.heads(0).W_V, right.heads(0).W_V)
    assert torch.equal(changed.heads(0).W_O, right.heads(0).W_O) == (wrong != "W_O")
    if wrong == "norm":
        assert not torch.allclose(changed.first_mlp()(x), right.first_mlp()(x), atol=0.1)
