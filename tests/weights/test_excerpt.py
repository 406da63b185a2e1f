"""`annotator check`: two blocks of a checkpoint, as transformers runs them, against what is cut."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from annotator.errors import CheckpointBroken, CheckpointRefused
from annotator.pipeline.check import check
from annotator.weights.excerpt import excerpt
from annotator.weights.families import FAMILIES
from annotator.weights.families import __file__ as table
from annotator.weights.model import open_model
from tests.recipes import ALL, WRAPPED, of

PROOFS: dict[str, list[str]] = json.loads(Path(table).with_name("proofs.json").read_text("utf-8"))
ONE_OF_EACH = [
    next(n for n in reversed(names) if n not in WRAPPED)
    for names in PROOFS.values()
    if set(names) - set(WRAPPED)
]
FOUR_LAYERS = {
    "gemma2": of("gemma2", num_hidden_layers=4),
    "gpt_neo": of("gpt_neo", num_layers=4, attention_types=[[["global", "local"], 2]]),
    "gpt2": of("gpt2", n_layer=4),
    "llama4_text": of("llama4_text", num_hidden_layers=4, interleave_moe_layer_step=2),
    "olmo3": of("olmo3", num_hidden_layers=4),
    "qwen2_moe": of("qwen2_moe", num_hidden_layers=4, mlp_only_layers=[0, 3]),
    "smollm3": of("smollm3", num_hidden_layers=4),
}


def saved(model: Any, folder: Path) -> Path:
    model.float().save_pretrained(folder)
    return folder


@pytest.mark.parametrize("recipe", [*ONE_OF_EACH, *WRAPPED])
def test_a_saved_model_is_proved(recipe: str, tmp_path: Path) -> None:
    findings = check(saved(ALL[recipe](), tmp_path))
    parts = [finding.part for finding in findings]
    last = open_model(tmp_path).dims.n_layers - 1
    heads = ["heads of layer 0", f"heads of layer {last}", "source representation"]
    bare = ["W_E"] if recipe.startswith("qwen") and "_vl" in recipe else ["W_E", "W_U"]
    assert parts == [*bare, *heads]
    assert all(finding.error < finding.limit / 50 for finding in findings), findings


@pytest.mark.parametrize("family", FOUR_LAYERS)
def test_the_last_of_many_layers_is_proved(family: str, tmp_path: Path) -> None:
    folder = saved(FOUR_LAYERS[family](), tmp_path)
    module = excerpt(open_model(folder).plan, torch.float32, [0, 3])
    assert module.config.num_hidden_layers == 2
    findings = check(folder)
    assert "heads of layer 3" in [finding.part for finding in findings]
    assert all(finding.proved for finding in findings), findings


def test_one_layer_is_first_and_last(tmp_path: Path) -> None:
    findings = check(saved(of("llama", num_hidden_layers=1)(), tmp_path))
    assert [finding.part for finding in findings if "layer" in finding.part] == ["heads of layer 0"]
    assert all(finding.proved for finding in findings)


def test_a_bare_decoder_is_proved(tmp_path: Path) -> None:
    folder = saved(of("gpt2", tie_word_embeddings=True)(), tmp_path)
    tensors = load_file(folder / "model.safetensors")
    bare = {name.removeprefix("transformer."): tensor for name, tensor in tensors.items()}
    save_file(bare, folder / "model.safetensors")
    assert all(finding.proved for finding in check(folder))


def test_a_module_in_memory_is_proved_in_all_its_layers_and_left_as_it_was() -> None:
    model = of("gemma2", num_hidden_layers=4)().train()
    implementation, cap = model.config._attn_implementation, model.config.final_logit_softcapping
    findings = check(model)
    assert sum("layer" in finding.part for finding in findings) == 4
    assert all(finding.proved for finding in findings)
    assert model.training
    assert model.config._attn_implementation == implementation
    assert model.config.final_logit_softcapping == cap
    assert cap is not None


def test_a_multimodal_module_in_memory_is_proved_and_left_as_it_was() -> None:
    model = ALL["paligemma-gemma2"]()
    before = [
        part.config._attn_implementation for part in model.modules() if hasattr(part, "config")
    ]
    assert all(finding.proved for finding in check(model))
    after = [
        part.config._attn_implementation for part in model.modules() if hasattr(part, "config")
    ]
    assert before == after


def test_what_transformers_cannot_run_is_said(tmp_path: Path) -> None:
    folder = saved(of("gpt2", reorder_and_upcast_attn=True)(), tmp_path)
    assert all(finding.proved for finding in check(folder))
    with pytest.raises(CheckpointRefused, match="transformers cannot run it in float64"):
        check(folder, dtype="float64")


def test_the_state_of_a_module_is_not_changed() -> None:
    model = of("mixtral")()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    check(model)
    hooks = [len(module._forward_hooks) for module in model.modules()]  # transformers leaves some
    check(model)
    assert hooks == [len(module._forward_hooks) for module in model.modules()]
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_a_tensor_that_is_not_finite_is_named_before_anything_runs(tmp_path: Path) -> None:
    folder = saved(of("llama")(), tmp_path)
    tensors = load_file(folder / "model.safetensors")
    tensors["model.layers.1.self_attn.v_proj.weight"][0, 0] = float("nan")
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(CheckpointBroken, match=r"layers\.1\.self_attn\.v_proj"):
        check(folder)


def test_a_gguf_file_is_refused(real_gguf: Path) -> None:
    with pytest.raises(CheckpointRefused, match="safetensors checkpoint"):
        check(real_gguf)


def test_every_entry_is_proved_somewhere() -> None:
    assert {entry.name for entries in FAMILIES.values() for entry in entries} == set(PROOFS)
    assert all(PROOFS.values())
