"""The module that is run: the very model that was saved, whole, or refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from annotator.errors import NotRun
from annotator.validate.hook_points import parts_of, watch
from annotator.weights.full_module import module_of
from annotator.weights.gguf import GgufFile
from annotator.weights.in_memory import InMemory
from annotator.weights.model import Model, open_model
from tests import tiny
from tests.recipes import ALL, built
from tests.weights.gguf_files import write
from tests.weights.gguf_models import RECIPES, written

ONE_OF_EACH_KIND = (
    *("llama-biases", "gpt2-tied", "neox-parallel", "gemma2-gqa", "gemma3_text-window"),
    *("olmo2-gqa", "bloom", "falcon-mqa", "opt-projected", "gptj", "codegen", "gpt_neo-local"),
    *("mpt", "phi-gqa", "mixtral-gqa", "gpt_oss-gqa", "qwen3_moe-dense", "granite-multipliers"),
    *("smollm3-no-rope", "llama4_text-every-second", "llava", "paligemma-gemma2"),
)


def said(module: Any) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(6, 40, (3, 6), generator=generator)
    with torch.no_grad():
        return module(ids).logits


def assert_runs_as(ours: Any, theirs: Any, atol: float = 1e-5) -> None:
    expected = said(theirs)
    scale = float(expected.abs().max())
    torch.testing.assert_close(said(ours) / scale, expected / scale, rtol=0, atol=atol)


@pytest.mark.parametrize("recipe", ONE_OF_EACH_KIND)
def test_a_saved_model_runs_as_it_did(recipe: str, tmp_path: Path) -> None:
    built(recipe).save_pretrained(tmp_path)
    ours = module_of(open_model(tmp_path, dtype="float64"))
    assert_runs_as(ours, built(recipe), 1e-6)


def test_falcon_with_alibi_runs_as_its_default_attention(tmp_path: Path) -> None:
    theirs = ALL["falcon-alibi"]()  # eager attention would add ALiBi twice
    theirs.save_pretrained(tmp_path)
    assert_runs_as(module_of(open_model(tmp_path)), theirs)


def test_shards_run_as_one_file(tmp_path: Path) -> None:
    theirs = tiny.llama()
    folder = tiny.save(tmp_path, theirs, max_shard_size="20KB")
    assert len(list(folder.glob("*.safetensors"))) > 1
    assert_runs_as(module_of(open_model(folder)), theirs)


def test_a_bare_decoder_runs_with_its_tied_ends(tmp_path: Path) -> None:
    theirs = tiny.gpt2()
    theirs.save_pretrained(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    bare = {name.removeprefix("transformer."): tensor for name, tensor in tensors.items()}
    save_file(bare, tmp_path / "model.safetensors")
    assert_runs_as(module_of(open_model(tmp_path)), theirs)


def test_a_module_in_memory_is_copied_and_left_as_it_was() -> None:
    theirs = tiny.llama(attention_bias=True).train()
    before = {name: tensor.clone() for name, tensor in theirs.state_dict().items()}
    ours = module_of(open_model(theirs))
    assert ours is not theirs
    assert theirs.training
    assert all(parameter.requires_grad for parameter in theirs.parameters())
    assert all(torch.equal(before[name], tensor) for name, tensor in theirs.state_dict().items())
    assert_runs_as(ours, theirs.eval())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_it_is_ready_to_run_and_nothing_else(dtype: str) -> None:
    module: Any = module_of(open_model(tiny.llama().bfloat16(), dtype=dtype))
    assert not module.training
    assert module.config._attn_implementation == "eager"
    assert {parameter.dtype for parameter in module.parameters()} == {getattr(torch, dtype)}
    assert not any(parameter.requires_grad for parameter in module.parameters())


def test_loading_leaves_the_random_state_alone(tmp_path: Path) -> None:
    folder = tiny.save(tmp_path, tiny.llama())
    before = torch.get_rng_state()
    module_of(open_model(folder))
    assert torch.equal(before, torch.get_rng_state())


def test_loading_prints_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    models = (tiny.save(tmp_path / "a", tiny.llama()), write(tmp_path / "b.gguf", tiny.llama()))
    capfd.readouterr()
    for model in models:
        module_of(open_model(model))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_gguf_file_runs_as_the_model_it_was_made_of(recipe: str, tmp_path: Path) -> None:
    made = written(recipe, tmp_path)
    assert_runs_as(module_of(open_model(made.path)), made.module)


REFUSED: dict[str, dict[str, Any]] = {
    "rope.scaling.type = 'yarn'": {"rope.scaling.type": "yarn"},
    "rope.scaling.attn_factor = 1.5": {"rope.scaling.attn_factor": 1.5},
    "rope.dimension_count = 4": {"rope.dimension_count": 4},
    "attention.key_length = 16": {"attention.key_length": 16},
}


@pytest.mark.parametrize("named", REFUSED)
def test_a_header_that_is_not_taken_over_is_named(named: str, tmp_path: Path) -> None:
    model = open_model(write(tmp_path / "m.gguf", tiny.llama()))
    assert isinstance(model.source, GgufFile)
    model.source.metadata |= {f"llama.{key}": value for key, value in REFUSED[named].items()}
    with pytest.raises(NotRun, match=named.replace(".", r"\.")):
        module_of(model)


def test_a_linear_scale_of_positions_is_taken_over(tmp_path: Path) -> None:
    scaled = {"rope_type": "linear", "rope_theta": 1e4, "factor": 4.0}
    theirs = tiny.llama(rope_parameters=scaled)
    more = {"rope.scaling.factor": 4.0, "rope.freq_base": 1e4}
    assert_runs_as(module_of(open_model(write(tmp_path / "m.gguf", theirs, more=more))), theirs)


def test_a_gguf_tensor_without_a_place_is_named(tmp_path: Path) -> None:
    # Llama 3.1's scales of rotations, which transformers would leave out without a word.
    scales = {"rope_freqs.weight": np.ones(4, np.float32)}
    path = write(tmp_path / "m.gguf", tiny.llama(), beside=scales)
    with pytest.raises(NotRun, match=r"has no place for its tensors rope_freqs\.weight"):
        module_of(open_model(path))


def test_a_gguf_file_without_a_tensor_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "m.gguf", tiny.llama())
    path.write_bytes(path.read_bytes().replace(b"blk.1.ffn_up.weight", b"blk.7.ffn_up.weight"))
    with pytest.raises(NotRun):
        module_of(open_model(path))


def without(name: str) -> Callable[[dict[str, torch.Tensor]], None]:
    return lambda tensors: tensors.__delitem__(name)


def beside(name: str) -> Callable[[dict[str, torch.Tensor]], None]:
    return lambda tensors: tensors.update({name: torch.zeros(3)})


def reshaped(name: str) -> Callable[[dict[str, torch.Tensor]], None]:
    return lambda tensors: tensors.update({name: tensors[name][:-1].contiguous()})


WHOLE = {
    "lacks weights.*layers.1.mlp.down_proj": without("model.layers.1.mlp.down_proj.weight"),
    "lacks weights.*model.norm.weight": without("model.norm.weight"),
    "does not use.*layers.1.self_attn.strange": beside("model.layers.1.self_attn.strange"),
    "other shapes.*layers.2.self_attn.q_proj": reshaped("model.layers.2.self_attn.q_proj.weight"),
}


@pytest.mark.parametrize("named", WHOLE)
def test_what_is_not_whole_is_refused_by_name(named: str, tmp_path: Path) -> None:
    folder = tiny.save(tmp_path, tiny.llama())
    tensors = load_file(folder / "model.safetensors")
    WHOLE[named](tensors)
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(NotRun, match=named.replace(".w", r"\.w")):
        module_of(open_model(folder))


def test_a_family_without_a_causal_class_is_refused(tmp_path: Path) -> None:
    ALL["qwen2_vl"]().save_pretrained(tmp_path)
    with pytest.raises(NotRun, match="no causal language model of 'qwen2_vl_text'"):
        module_of(open_model(tmp_path))


@pytest.mark.parametrize(
    ("part", "name"),
    [
        ("heads of layer 1", "model.layers.1.self_attn.v_proj.weight"),
        ("heads of layer 2", "model.layers.2.self_attn.o_proj.weight"),
        ("source representation", "model.layers.0.mlp.up_proj.weight"),
        ("W_E", "model.embed_tokens.weight"),
        ("W_U", "lm_head.weight"),
    ],
)
def test_a_module_that_is_not_what_is_mapped_is_refused(part: str, name: str) -> None:
    theirs = tiny.llama()
    tensors, config = theirs.state_dict(), theirs.config.to_dict()
    model = open_model(_Twice(tensors, config, name))
    with pytest.raises(NotRun, match=f"differs from what is mapped: .*{part}"):
        module_of(model)


class _Twice(InMemory):
    """A source whose one tensor is another when it is read again."""

    def __init__(self, tensors: Any, config: Any, other: str) -> None:
        super().__init__(tensors, config, "twice")
        self.other, self.seen = other, 0

    def read(self, name: str, index: int | None = None) -> torch.Tensor:
        self.seen += name == self.other
        tensor = super().read(name, index)
        return tensor.flip(0) if name == self.other and self.seen > 1 else tensor


def test_not_a_number_in_a_weight_is_refused() -> None:
    theirs = tiny.llama()
    with torch.no_grad():
        theirs.model.layers[1].mlp.up_proj.weight[0, 0] = torch.nan
    with pytest.raises(NotRun, match="heads of layer 2"):
        module_of(open_model(theirs))


def test_the_parts_are_where_transformers_has_them() -> None:
    model = open_model(tiny.gpt_neox())
    module: Any = module_of(model)
    parts = parts_of(model, module)
    blocks = module.gpt_neox.layers
    assert parts.attention == tuple(block.attention for block in blocks)
    assert parts.output == tuple(block.attention.dense for block in blocks)


def test_nothing_stays_hooked_whatever_happens() -> None:
    model = open_model(tiny.gpt2())
    module = module_of(model)
    before, layers = said(module), list[int]()

    def fail(layer: int, z: torch.Tensor) -> torch.Tensor:
        if layer == 2:
            raise KeyError(layer)
        return torch.zeros_like(z)

    parts = parts_of(model, module)
    with pytest.raises(KeyError), watch(parts, read=lambda layer, _: layers.append(layer), z=fail):
        said(module)
    assert layers == [0, 1, 2]
    assert torch.equal(said(module), before)
    assert layers == [0, 1, 2]


@pytest.fixture(scope="module")
def real(real_gguf: Path) -> tuple[Model, Any]:
    model = open_model(real_gguf)
    return model, module_of(model)


def test_the_real_model_says_what_is_so(real: tuple[Model, Any]) -> None:
    from annotator.tokens.load import load_vocabulary

    model, module = real
    vocabulary = load_vocabulary(model.source, model.dims.vocab)
    ids = torch.tensor([vocabulary.prompt("The capital of France is")])
    with torch.no_grad():
        next_token = int(module(ids).logits[0, -1].argmax())
    assert vocabulary.text(next_token) == " Paris"


def test_a_corrupt_weight_of_the_real_model_is_refused(
    real_gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = GgufFile.stored

    def corrupt(self: GgufFile, name: str) -> torch.Tensor:
        tensor = stored(self, name)
        return tensor.roll(64, 0) if name == "blk.17.attn_v.weight" else tensor

    monkeypatch.setattr(GgufFile, "stored", corrupt)
    with pytest.raises(NotRun, match=r"mapped: heads of layer 17\."):
        module_of(open_model(real_gguf))


def test_the_config_of_a_listed_pattern_is_kept(tmp_path: Path) -> None:
    built("gpt_neo-local").save_pretrained(tmp_path)
    module: Any = module_of(open_model(tmp_path))
    assert json.loads((tmp_path / "config.json").read_text())["attention_types"]
    assert module.config.attention_layers == ["local", "local"]
