"""GGUF against the gguf package's own reader, against safetensors, and against transformers."""

from __future__ import annotations

import re
from collections.abc import Collection
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
from annotator.weights.model import Model, open_model
from tests import tiny
from tests.weights.gguf_files import finish, gguf_name, tensors, write

KINDS = ("F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "TQ1_0", "TQ2_0", "MXFP4")
# Kinds that the gguf package reads and cannot write; the bytes of a block are drawn.
READ_ONLY = ("Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "IQ4_XS")
REAL_LAYERS = (0, 13, 29)  # the first, one amid, and the last
WIDE = {"hidden_size": 256, "intermediate_size": 256, "vocab_size": 32, "num_hidden_layers": 2}


def needed(source: GgufFile) -> dict[str, str]:
    """Transformers name -> GGUF name of everything a map needs."""
    return {need.name: gguf_name(need.name) for need in open_model(source).plan.needs()}


def assert_read_as_the_package_reads(
    path: Path, reader: gguf.GGUFReader, layers: Collection[int] | None = None
) -> None:
    """Everything that a map needs; of some layers only where they are named."""
    ours = GgufFile(path)
    theirs = {tensor.name: tensor for tensor in reader.tensors}
    names = {name: stored for name, stored in needed(ours).items() if _is_of(stored, layers)}
    assert set(names) <= set(ours.names())
    for name, gguf_tensor in names.items():
        stored = theirs[gguf_tensor]
        assert ours.shape(name) == tuple(int(n) for n in reversed(stored.shape))
        assert bytes(ours.raw(name)) == stored.data.tobytes()
        expected = gguf.dequantize(stored.data, stored.tensor_type).astype(np.float32)
        assert ours.read(name).shape == ours.shape(name)
        np.testing.assert_array_equal(ours.read(name).float().numpy(), expected)


def _is_of(name: str, layers: Collection[int] | None) -> bool:
    part = re.match(r"blk\.(\d+)\.", name)
    return part is None or layers is None or int(part[1]) in layers


@pytest.mark.parametrize("kind", KINDS)
def test_tensors_are_what_the_gguf_package_reads(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path / "m.gguf", tiny.llama(**WIDE), Kind[kind])
    reader = gguf.GGUFReader(path)
    stored = {tensor.name: tensor.tensor_type for tensor in reader.tensors}
    assert stored["blk.1.attn_v.weight"] == Kind[kind]
    assert_read_as_the_package_reads(path, reader)
    assert GgufFile(path).read("model.embed_tokens.weight").dtype == (
        torch.float16 if kind == "F16" else torch.float32
    )


@pytest.mark.parametrize("kind", READ_ONLY)
@pytest.mark.filterwarnings("ignore:(invalid value|overflow) encountered:RuntimeWarning")
def test_kinds_that_only_llama_cpp_writes(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "m.gguf"
    block, size = gguf.GGML_QUANT_SIZES[Kind[kind]]
    drawn = np.random.default_rng(0).integers(0, 60, (32, 256 // block * size), dtype=np.uint8)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tensor("token_embd.weight", drawn, raw_dtype=Kind[kind])
    finish(writer, path)
    ours = GgufFile(path)
    assert ours.shape("model.embed_tokens.weight") == (32, 256)
    read = ours.read("model.embed_tokens.weight").numpy()
    np.testing.assert_array_equal(read, gguf.dequantize(drawn, Kind[kind]))


def test_double_precision_is_kept(tmp_path: Path) -> None:
    path, drawn = tmp_path / "m.gguf", np.random.default_rng(0).standard_normal((5, 3))
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tensor("token_embd.weight", drawn)
    finish(writer, path)
    read = GgufFile(path).read("model.embed_tokens.weight")
    assert read.dtype == torch.float64
    np.testing.assert_array_equal(read.numpy(), drawn)


@pytest.mark.parametrize("kind", ["Q8_1", "I32"])
def test_a_kind_that_cannot_be_dequantised_is_named(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path / "m.gguf", tiny.llama())
    _, size = gguf.GGML_QUANT_SIZES[Kind[kind]]
    data = bytearray(path.read_bytes())
    at = data.index(b"token_embd.weight") + len(b"token_embd.weight") + 4 + 16
    data[at : at + 4] = int(Kind[kind]).to_bytes(4, "little")
    path.write_bytes(data)
    assert size
    with pytest.raises(CheckpointRefused, match=rf"model\.embed_tokens\.weight .* {kind}"):
        verify(open_model(path).plan)


def heads_equal(left: Model, right: Model) -> None:
    assert left.dims == right.dims
    for layer in range(left.dims.n_layers):
        ours, theirs = left.heads(layer), right.heads(layer)
        assert torch.equal(ours.W_V, theirs.W_V)
        assert torch.equal(ours.W_O, theirs.W_O)
        assert (ours.b_V is None) == (theirs.b_V is None)
        assert ours.b_V is None or torch.equal(ours.b_V, theirs.b_V)


@pytest.mark.parametrize("recipe", [name for name in tiny.MODELS if name.startswith("llama")])
def test_matrices_equal_those_of_safetensors(tmp_path: Path, recipe: str) -> None:
    module = tiny.MODELS[recipe]()
    theirs = open_model(tiny.save(tmp_path / "folder", module))
    ours = open_model(write(tmp_path / "m.gguf", module))
    heads_equal(ours, theirs)
    assert torch.equal(ours.W_E(), theirs.W_E())
    assert torch.equal(ours.W_U(), theirs.W_U())
    x = theirs.W_E()
    torch.testing.assert_close(ours.first_mlp()(x), theirs.first_mlp()(x), rtol=1e-5, atol=1e-6)
    assert ours.plan.tied == theirs.plan.tied == (recipe == "llama-tied")
    verify(ours.plan)


@pytest.mark.parametrize("recipe", ["llama-gqa", "llama-biases", "llama-tied", "llama-head-dim"])
def test_the_header_becomes_the_config(tmp_path: Path, recipe: str) -> None:
    module = tiny.MODELS[recipe]()
    ours = GgufFile(write(tmp_path / "m.gguf", module))
    config: Any = module.config
    eps = ours.config["rms_norm_eps"]
    assert eps == pytest.approx(config.rms_norm_eps)
    assert ours.config == {"rms_norm_eps": eps, "model_type": "llama", "hidden_act": "silu"} | {
        key: getattr(config, key)
        for key in (
            *("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads"),
            *("num_key_value_heads", "head_dim", "attention_bias", "mlp_bias", "vocab_size"),
            "tie_word_embeddings",
        )
    }
    assert (ours.format, ours.id, ours.revision) == ("gguf", "m.gguf", None)
    assert ours.metadata["general.architecture"] == "llama"


def test_a_file_without_head_counts_of_its_own_falls_back(tmp_path: Path) -> None:
    left_out = {"attention.value_length": None, "attention.head_count_kv": None}
    module = tiny.llama(num_key_value_heads=4)
    ours = open_model(write(tmp_path / "m.gguf", module, more=left_out))
    assert (ours.dims.d_head, ours.dims.n_kv_heads) == (8, 4)


def test_names_are_only_those_of_the_architecture(tmp_path: Path) -> None:
    module = tiny.llama()
    ours = GgufFile(write(tmp_path / "m.gguf", module))
    state = set(module.state_dict())
    assert set(ours.names()) < state
    assert {name for name in state if "v_proj" in name or "o_proj" in name} < set(ours.names())
    assert set(needed(ours)) == set(ours.names())


def test_an_unknown_architecture_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "m.gguf", tiny.llama(), architecture="mamba")
    with pytest.raises(UnknownFamily, match=r"mamba \(GGUF\).*llama \(GGUF\)") as caught:
        GgufFile(path)
    assert caught.value.known == [f"{name} (GGUF)" for name in ARCHITECTURES]


def test_settings_that_are_not_handled_are_named(tmp_path: Path) -> None:
    unknown = {"expert_count": 8, "logit_scale": 0.5, "rope.freq_base": 1e4}
    path = write(tmp_path / "m.gguf", tiny.llama(), more=unknown)
    with pytest.raises(CheckpointRefused) as caught:
        GgufFile(path)
    assert caught.value.reason.endswith(": llama.expert_count, llama.logit_scale")


def test_a_missing_tensor_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "m.gguf", tiny.llama())
    path.write_bytes(path.read_bytes().replace(b"blk.1.attn_v.weight", b"blk.1.attn_x.weight"))
    with pytest.raises(CheckpointBroken, match=r"layers\.1\.self_attn\.v_proj\.weight is missing"):
        verify(open_model(path).plan)


@pytest.fixture(scope="module")
def real_reader(real_gguf: Path) -> gguf.GGUFReader:
    return gguf.GGUFReader(real_gguf)


@pytest.fixture(scope="module")
def real_tensors(real_reader: gguf.GGUFReader, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real model's sizes, and its tensors of some layers, without its tokenizer: transformers
    reads slowly.
    """
    path = tmp_path_factory.mktemp("real") / "tensors.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    for key, field in real_reader.fields.items():
        if key.startswith("llama."):
            writer.add_key_value(key, field.contents(), field.types[0])
    for tensor in real_reader.tensors:
        if not _is_of(tensor.name, REAL_LAYERS):
            continue
        writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    return finish(writer, path)


def test_the_real_files_bytes(real_gguf: Path, real_reader: gguf.GGUFReader) -> None:
    assert_read_as_the_package_reads(real_gguf, real_reader, REAL_LAYERS)


def test_values_are_not_permuted_but_queries_are() -> None:
    module = tiny.llama()
    state, converted = module.state_dict(), tensors(module)
    prefix = "model.layers.0.self_attn."
    assert not np.array_equal(converted["blk.0.attn_q.weight"], state[prefix + "q_proj.weight"])
    assert np.array_equal(converted["blk.0.attn_v.weight"], state[prefix + "v_proj.weight"])


def test_real_matrices_are_those_that_transformers_loads(
    real_gguf: Path, real_tensors: Path
) -> None:
    # from_pretrained(gguf_file=...) itself needs accelerate; this is the loader that it calls.
    from transformers import LlamaConfig, LlamaForCausalLM
    from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint

    ours = open_model(real_gguf)
    d = ours.dims
    config = LlamaConfig(num_hidden_layers=d.n_layers, hidden_size=d.d_model, vocab_size=d.vocab)
    with torch.device("meta"):
        module = LlamaForCausalLM(config)
    state = load_gguf_checkpoint(str(real_tensors), return_tensors=True, model_to_load=module)[
        "tensors"
    ]
    for layer in REAL_LAYERS:
        prefix, heads = f"model.layers.{layer}.self_attn", ours.heads(layer)
        value, output = state[f"{prefix}.v_proj.weight"], state[f"{prefix}.o_proj.weight"]
        assert heads.W_V.shape == (3, 576, 64)
        assert heads.W_O.shape == (9, 64, 576)
        for head in range(d.n_heads):
            rows = slice(head * 64, (head + 1) * 64)
            assert torch.equal(heads.W_O[head], output[:, rows].T)
            if head < d.n_kv_heads:
                assert torch.equal(heads.W_V[head], value[rows].T)
    assert torch.equal(ours.W_E(), state["model.embed_tokens.weight"])
