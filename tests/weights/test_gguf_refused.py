"""What no GGUF entry describes is refused by name; what is stored another way is read the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType as Kind

from annotator.errors import CheckpointBroken, CheckpointRefused, UnknownFamily
from annotator.weights.check_tensors import verify
from annotator.weights.gguf import ARCHITECTURES, GgufFile
from annotator.weights.model import open_model
from tests import tiny
from tests.tokens.llama_cpp import LlamaCpp
from tests.weights.gguf_files import gguf_name, tensors, with_one_added, write
from tests.weights.gguf_models import (
    RECIPES,
    TOKENIZER,
    VOCAB,
    gemma2,
    gpt2,
    phi3,
    qwen2,
    qwen3,
)

NEIGHBOURS = (
    *("qwen2moe", "qwen2vl", "qwen3moe", "qwen3next", "gemma", "gemma3n", "gemma-embedding"),
    *("gptneox", "gptj", "phi2", "phimoe", "llama4"),
)


@pytest.mark.parametrize("architecture", NEIGHBOURS)
def test_a_neighbour_of_a_known_architecture_is_unknown(tmp_path: Path, architecture: str) -> None:
    assert architecture in gguf.MODEL_ARCH_NAMES.values()
    path = write(tmp_path / "m.gguf", tiny.llama(), architecture=architecture)
    with pytest.raises(UnknownFamily, match=rf"{architecture} \(GGUF\)") as caught:
        GgufFile(path)
    assert caught.value.known == [f"{name} (GGUF)" for name in ARCHITECTURES]


@pytest.mark.parametrize(
    ("architecture", "key"),
    [
        *((name, "expert_count") for name in ARCHITECTURES),
        *((name, "logit_scale") for name in ARCHITECTURES),
        # A reranker: its two answers are kept in place of an unembedding.
        *((name, "pooling_type") for name in ("qwen2", "qwen3")),
        ("gpt2", "attention.head_count_kv"),
        ("gpt2", "rope.freq_base"),
        ("phi3", "attention.value_length"),
        ("gemma3", "attn_logit_softcapping"),
        ("llama", "embedding_scale"),
    ],
)
def test_a_setting_that_is_not_of_the_architecture_is_named(
    tmp_path: Path, architecture: str, key: str
) -> None:
    _, build = RECIPES[architecture]
    path = write(tmp_path / "m.gguf", build(), architecture=architecture, more={key: 2})
    with pytest.raises(CheckpointRefused) as caught:
        GgufFile(path)
    assert caught.value.reason.endswith(f": {architecture}.{key}")


@pytest.mark.parametrize(
    ("architecture", "name"),
    [
        ("llama", "blk.1.attn_v.scale"),  # beside a matrix in NVFP4
        ("llama", "output.scale"),
        ("qwen2", "blk.0.attn_output.bias"),
        ("qwen3", "blk.0.ffn_gate.scale"),
        ("gemma2", "blk.0.post_ffw_norm.bias"),
        ("gemma3", "token_embd.scale"),
        ("gpt2", "blk.2.attn_qkv.input_scale"),
        ("phi3", "blk.0.attn_qkv.bias"),
    ],
)
def test_a_part_of_a_matrix_that_is_not_read_is_named(
    tmp_path: Path, architecture: str, name: str
) -> None:
    _, build = RECIPES[architecture]
    beside = {name: np.ones(1, np.float32)}
    path = write(tmp_path / "m.gguf", build(), architecture=architecture, beside=beside)
    with pytest.raises(CheckpointRefused, match=r"tensors that change the map") as caught:
        GgufFile(path)
    assert caught.value.reason.endswith(f": {name}")


@pytest.mark.parametrize("name", ["blk.1.attn_v", "blk.1.attn_output"])
def test_llama_cpp_applies_the_scale_that_is_refused(tmp_path: Path, name: str) -> None:
    answers: list[np.ndarray] = []
    for scale in (1, 2):
        beside = {f"{name}.scale": np.full(1, scale, np.float32)}
        path = tmp_path / f"{scale}.gguf"
        write(path, qwen3(), architecture="qwen3", tokenizer=TOKENIZER, beside=beside)
        served = LlamaCpp(path)
        answers.append(served.log_probabilities([5, 300, 17, 42], VOCAB))
        served.close()
    assert np.abs(answers[0] - answers[1]).max() > 0.1


def refused_by_llama_cpp(path: Path) -> bool:
    try:
        served = LlamaCpp(path)
    except RuntimeError:
        return True
    served.log_probabilities([1], VOCAB)  # one that is stopped before it was asked hangs
    served.close()
    return False


def test_biases_that_llama_cpp_refuses_are_refused(tmp_path: Path) -> None:
    module = qwen3(attention_bias=True)
    path = write(tmp_path / "m.gguf", module, architecture="qwen3", tokenizer=TOKENIZER)
    assert refused_by_llama_cpp(path)
    with pytest.raises(CheckpointRefused, match=r"blk\.0\.attn_output\.bias.*blk\.0\.attn_v\.bias"):
        GgufFile(path)


def test_gemma2_has_no_unembedding_of_its_own(tmp_path: Path) -> None:
    module = gemma2()
    beside = {"output.weight": tensors(module, "gemma2")["token_embd.weight"]}
    path = tmp_path / "m.gguf"
    write(path, module, architecture="gemma2", tokenizer=TOKENIZER, beside=beside)
    assert refused_by_llama_cpp(path)
    with pytest.raises(CheckpointBroken, match=r"lm_head\.weight is missing"):
        verify(open_model(path).plan)


@pytest.mark.parametrize(("architecture", "build"), [("gpt2", gpt2), ("phi3", phi3)])
def test_a_fused_matrix_that_is_missing_is_named(
    tmp_path: Path, architecture: str, build: Any
) -> None:
    path = write(tmp_path / "m.gguf", build(), architecture=architecture)
    path.write_bytes(path.read_bytes().replace(b"blk.1.attn_qkv.weight", b"blk.1.attn_xyz.weight"))
    with pytest.raises(CheckpointBroken, match=r"1\.\S*(c_attn|qkv_proj)\.weight is missing"):
        verify(open_model(path).plan)


def test_a_missing_value_bias_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "m.gguf", qwen2(), architecture="qwen2")
    path.write_bytes(path.read_bytes().replace(b"blk.2.attn_v.bias", b"blk.2.attn_x.bias"))
    with pytest.raises(CheckpointBroken, match=r"layers\.2\.self_attn\.v_proj\.bias is missing"):
        verify(open_model(path).plan)


@pytest.mark.parametrize("bias", ["ffn_gate", "ffn_up", "ffn_down"])
def test_a_bias_of_the_first_mlp_is_never_left_out(tmp_path: Path, bias: str) -> None:
    """llama.cpp adds each that is there; here all three are read, or the others are missed."""
    model = tiny.llama()
    width = model.config.hidden_size if bias == "ffn_down" else model.config.intermediate_size
    beside = {f"blk.0.{bias}.bias": np.ones(width, dtype=np.float32)}
    path = write(tmp_path / "m.gguf", model, beside=beside)
    with pytest.raises(CheckpointBroken, match=r"mlp\.\w+_proj\.bias is missing"):
        verify(open_model(path).plan)


def test_a_quantised_matrix_is_turned_after_it_is_dequantised(tmp_path: Path) -> None:
    module = gpt2()
    ours = open_model(write(tmp_path / "m.gguf", module, Kind.Q8_0, architecture="gpt2"))
    verify(ours.plan)
    for name, data in module.state_dict().items():
        if ".c_attn.weight" not in name and ".mlp.c_fc.weight" not in name:
            continue
        if name not in ours.source.names():
            assert ".mlp." in name  # of a later block
            continue
        stored = gguf.quantize(np.ascontiguousarray(data.numpy().T), Kind.Q8_0)
        read = ours.source.read(name)
        assert read.shape == ours.source.shape(name) == data.shape
        np.testing.assert_array_equal(read.numpy(), gguf.dequantize(stored, Kind.Q8_0).T)
        np.testing.assert_array_equal(ours.source.read(name, 3).numpy(), read[3].numpy())
        assert bytes(ours.source.raw(name)) == stored.tobytes()


def test_one_is_taken_from_a_half_precision_norm_in_single(tmp_path: Path) -> None:
    def halved(name: str, data: np.ndarray, config: Any) -> np.ndarray:
        data = with_one_added(name, data, config)
        return data.astype(np.float16) if "norm" in name else data

    module, name = gemma2(), "model.layers.0.pre_feedforward_layernorm.weight"
    ours = GgufFile(write(tmp_path / "m.gguf", module, architecture="gemma2", fold=halved))
    stored = (module.state_dict()[name] + 1).half()
    assert ours.read(name).dtype == torch.float32
    assert torch.equal(ours.read(name), stored.float() - 1)
    assert gguf_name(name, "gemma2") == "blk.0.ffn_norm.weight"
    assert bytes(ours.raw(name)) == stored.numpy().tobytes()
