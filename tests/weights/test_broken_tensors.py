"""Tensors that cannot be used are all named before any work; what maps do not need may be so."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from annotator.errors import CheckpointBroken, CheckpointRefused
from annotator.weights.check_tensors import verify
from annotator.weights.find_family import make_plan
from annotator.weights.in_memory import from_module, from_state_dict
from annotator.weights.model import open_model
from annotator.weights.open_source import open_source
from annotator.weights.source import Source
from tests import tiny

LAYERS = 3
HINT = "(the config does not tie it to the embedding; set tie_word_embeddings if it should)"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save(tmp_path_factory.mktemp("saved") / "llama", tiny.llama())


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    """A copy of a sound checkpoint, to be broken."""
    return shutil.copytree(saved, tmp_path / "llama")


def tensors_of(folder: Path) -> dict[str, Tensor]:
    return load_file(folder / "model.safetensors")


def replace(folder: Path, **changes: Tensor | None) -> None:
    """Put other tensors in place of some; None takes one out. `__` stands for a dot."""
    named = {name.replace("__", "."): tensor for name, tensor in changes.items()}
    tensors: dict[str, Tensor | None] = {**tensors_of(folder), **named}
    kept = {name: tensor for name, tensor in tensors.items() if tensor is not None}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})


def with_value(tensor: Tensor, value: float, count: int = 1) -> Tensor:
    changed = tensor.clone()
    changed.view(-1)[-count:] = value
    return changed


def problems(source: Source) -> list[str]:
    with pytest.raises(CheckpointBroken) as caught:
        verify(make_plan(source))
    assert all(problem in str(caught.value) for problem in caught.value.problems)
    return sorted(caught.value.problems)


def configure(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def needed_names() -> set[str]:
    """What a llama's head maps are made of, written down here from the definition."""
    layers = {
        f"model.layers.{layer}.self_attn.{matrix}_proj.weight"
        for layer in range(LAYERS)
        for matrix in "vo"
    }
    first = {f"model.layers.0.mlp.{matrix}_proj.weight" for matrix in ("gate", "up", "down")}
    norm = "model.layers.0.post_attention_layernorm.weight"
    return layers | first | {norm, "model.embed_tokens.weight", "lm_head.weight"}


def test_missing_tensors_are_all_named(folder: Path) -> None:
    gone = {
        "model.embed_tokens.weight",
        "model.layers.0.mlp.gate_proj.weight",
        "model.layers.1.self_attn.v_proj.weight",
        "model.layers.2.self_attn.o_proj.weight",
    }
    replace(folder, **dict.fromkeys(gone))
    assert problems(open_source(folder)) == sorted(f"{name} is missing" for name in gone)


def test_a_layer_fewer_than_the_config_says(folder: Path) -> None:
    configure(folder, num_hidden_layers=LAYERS + 1)
    missing = [
        f"model.layers.{LAYERS}.self_attn.{matrix}_proj.weight is missing" for matrix in "ov"
    ]
    assert problems(open_source(folder)) == missing


def test_mis_shaped_tensors_are_all_named(folder: Path) -> None:
    tensors = tensors_of(folder)
    W_V, norm = (
        "model.layers.1.self_attn.v_proj.weight",
        "model.layers.0.post_attention_layernorm.weight",
    )
    replace(folder, **{W_V: tensors[W_V].T.contiguous(), norm: tensors[norm][:-1].clone()})
    assert problems(open_source(folder)) == [
        f"{norm} has shape [31], not [32] as the config says",
        f"{W_V} has shape [32, 16], not [16, 32] as the config says",
    ]


def test_a_vocabulary_of_another_size_than_the_config_says(folder: Path) -> None:
    configure(folder, vocab_size=tiny.VOCAB + 1)
    assert problems(open_source(folder)) == [
        f"{name} has shape [320, 32], not [321, 32] as the config says"
        for name in ("lm_head.weight", "model.embed_tokens.weight")
    ]


def test_values_that_are_not_finite_are_all_named(folder: Path) -> None:
    tensors = tensors_of(folder)
    bad = {
        "model.embed_tokens.weight": (float("nan"), 3),
        "model.layers.0.self_attn.v_proj.weight": (float("inf"), 1),
        "model.layers.2.self_attn.v_proj.weight": (float("-inf"), 2),
        "lm_head.weight": (float("nan"), 1),
    }
    replace(folder, **{n: with_value(tensors[n], *values) for n, values in bad.items()})
    expected = [f"{name} holds {count} NaN or infinite values" for name, (_, count) in bad.items()]
    assert problems(open_source(folder)) == sorted(expected)


def test_problems_of_every_kind_are_named_together(folder: Path) -> None:
    tensors = tensors_of(folder)
    missing, shaped, infinite, typed = (
        f"model.layers.{layer}.self_attn.{matrix}_proj.weight"
        for layer in (1, 2)
        for matrix in "vo"
    )
    replace(
        folder,
        **{
            missing: None,
            shaped: tensors[shaped][:1].clone(),
            infinite: with_value(tensors[infinite], float("inf")),
            typed: tensors[typed].to(torch.float8_e4m3fn),
        },
    )
    found = problems(open_source(folder))
    assert len(found) == 4
    for name in (missing, shaped, infinite, typed):
        assert sum(problem.startswith(name) for problem in found) == 1


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2, torch.int8, torch.uint8])
def test_a_dtype_that_is_not_mapped_is_refused_by_name(folder: Path, dtype: torch.dtype) -> None:
    name = "model.layers.1.self_attn.v_proj.weight"
    replace(folder, **{name: tensors_of(folder)[name].to(dtype)})
    said = str(dtype).removeprefix("torch.")
    assert problems(open_source(folder)) == [f"{name} has dtype {said}, which is not mapped"]


def test_what_maps_do_not_need_may_be_broken_or_absent(folder: Path) -> None:
    tensors, needed = tensors_of(folder), needed_names()
    digest = verify(make_plan(open_source(folder)))
    others = set(tensors) - needed
    assert len(others) > 12
    replace(folder, **{name: torch.full_like(tensors[name], float("nan")) for name in others})
    assert verify(make_plan(open_source(folder))) == digest
    replace(folder, **dict.fromkeys(others))
    assert verify(make_plan(open_source(folder))) == digest


def test_an_untied_config_without_an_unembedding(folder: Path) -> None:
    replace(folder, lm_head__weight=None)
    assert problems(open_source(folder)) == [f"lm_head.weight is missing {HINT}"]
    configure(folder, tie_word_embeddings=True)
    verify(make_plan(open_source(folder)))


@pytest.mark.parametrize("shape", [(320, 32), (319, 32)])
def test_a_tied_config_beside_another_unembedding(folder: Path, shape: tuple[int, int]) -> None:
    configure(folder, tie_word_embeddings=True)
    replace(folder, lm_head__weight=torch.ones(shape))
    [problem] = problems(open_source(folder))
    assert problem.startswith("the config ties lm_head.weight to the embedding, but the checkpoint")
    assert "tie_word_embeddings" in problem


def test_a_tied_config_beside_the_same_unembedding(folder: Path) -> None:
    configure(folder, tie_word_embeddings=True)
    replace(folder, lm_head__weight=tensors_of(folder)["model.embed_tokens.weight"].clone())
    W_E, W_U = open_model(folder).embeddings()
    verify(make_plan(open_source(folder)))
    assert torch.equal(W_U, W_E.T)


def lora(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict as PEFT leaves it: the weights under another name, the adapter beside them."""
    wrapped = dict(tensors)
    at = "model.layers.0.self_attn.v_proj"
    wrapped[f"{at}.base_layer.weight"] = wrapped.pop(f"{at}.weight")
    wrapped[f"{at}.lora_A.default.weight"] = torch.ones(2, 32)
    wrapped[f"{at}.lora_B.default.weight"] = torch.ones(16, 2)
    return wrapped


def test_adapters_that_are_not_merged_are_refused() -> None:
    model = tiny.llama()
    with pytest.raises(CheckpointRefused, match="merge_and_unload"):
        from_state_dict(lora(model.state_dict()), model.config.to_dict(), "tuned")


def test_a_module_without_a_config_is_refused() -> None:
    with pytest.raises(CheckpointRefused, match="no Hugging Face config"):
        from_module(nn.Linear(2, 2))
    with pytest.raises(CheckpointRefused, match="no Hugging Face config"):
        open_model(nn.Linear(2, 2))


def test_a_module_in_memory_is_checked_as_a_file_is() -> None:
    model = tiny.llama()
    with torch.no_grad():
        model.model.layers[1].self_attn.v_proj.weight[0, 0] = float("nan")
        model.model.layers[1].self_attn.q_proj.weight[0, 0] = float("nan")
    found = problems(from_module(model))
    assert found == ["model.layers.1.self_attn.v_proj.weight holds 1 NaN or infinite values"]
