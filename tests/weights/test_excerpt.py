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
from annotator.weights.families import FAMILIES
from annotator.weights.families import __file__ as table
from annotator.weights.model import open_model
from annotator.weights.partial_module import excerpt
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
    assert all(finding.error < finding.limit / 4 for finding in findings), findings


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


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
@pytest.mark.parametrize("recipe", ["gemma2-gqa", "mixtral-gqa", "aya_vision", "paligemma-gemma2"])
def test_a_module_in_memory_is_proved_and_left_as_it_was(recipe: str, dtype: torch.dtype) -> None:
    model = ALL[recipe]().to(dtype).train()
    next(model.children()).eval()
    modes = [part.training for part in model.modules()]
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state, config = torch.get_rng_state(), model.config.to_dict()
    findings = check(model)
    assert "W_U" in [finding.part for finding in findings]
    assert all(finding.proved for finding in findings), findings
    assert modes == [part.training for part in model.modules()]
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert torch.equal(state, torch.get_rng_state())
    assert config == model.config.to_dict()
    assert not any(part._forward_hooks for part in model.modules())


def test_a_compiled_module_is_proved() -> None:
    compiled: Any = torch.compile(of("llama")())
    assert all(finding.proved for finding in check(compiled))


def configured(folder: Path, **changes: Any) -> Path:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return folder


@pytest.mark.parametrize(
    "changes",
    [
        {"eos_token_id": [1, 2, 3], "pad_token_id": 0},
        {"auto_map": {"AutoModelForCausalLM": "evil/repo--modeling.Model"}},
        {"_attn_implementation": "evil/kernel", "attn_implementation": "flash_attention_2"},
        {"architectures": ["Unheard"], "dtype": "float16", "torch_dtype": "nonsense"},
    ],
)
@pytest.mark.parametrize("recipe", ["llama-gqa", "qwen2_vl"])
def test_what_a_config_says_besides_is_not_followed(
    recipe: str, changes: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own code least of all: nobody is asked, nothing is fetched."""
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("somebody was asked"))
    folder = saved(ALL[recipe](), tmp_path)
    said = json.loads((folder / "config.json").read_text())
    text = said.get("text_config")
    configured(folder, **(changes if text is None else {"text_config": text | changes}))
    assert all(finding.proved for finding in check(folder))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"initializer_range": "x"}, "initializer_range"),
        ({"max_position_embeddings": "x"}, "max_position_embeddings"),
        ({"rope_parameters": {"rope_type": "unheard"}}, "unheard"),
        ({"pad_token_id": 100000}, "AssertionError"),
    ],
)
def test_what_transformers_does_not_take_is_said_in_one_line(
    changes: dict[str, Any], said: str, tmp_path: Path
) -> None:
    folder = configured(saved(of("llama")(), tmp_path), **changes)
    with pytest.raises(CheckpointRefused, match=said) as caught:
        check(folder)
    assert "\n" not in str(caught.value)


def test_what_transformers_cannot_run_is_said(tmp_path: Path) -> None:
    folder = saved(of("gpt2", reorder_and_upcast_attn=True)(), tmp_path)
    assert all(finding.proved for finding in check(folder))
    with pytest.raises(CheckpointRefused, match="transformers cannot run its blocks in float64"):
        check(folder, dtype="float64")


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
