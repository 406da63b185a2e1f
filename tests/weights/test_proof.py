"""`prove` says yes to a right cut, and names the part that is wrong."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from annotator.weights.families import FAMILIES
from annotator.weights.family import VALUE_BLOCKS
from annotator.weights.in_memory import from_state_dict
from annotator.weights.model import Model, open_model
from annotator.weights.oracle import Finding, compare, observe, prove
from annotator.weights.plan import Plan
from tests import recipes
from tests.weights.conftest import Subject
from tests.weights.wrong import wrong_plans


def parts(model: Model) -> list[str]:
    heads = [f"heads of layer {layer}" for layer in range(model.dims.n_layers)]
    return ["W_E", "W_U", *heads, "source representation"]


def unproved(findings: list[Finding]) -> set[str]:
    return {finding.part for finding in findings if not finding.proved}


def double(plan: Plan) -> Model:
    return Model(plan, torch.float64, torch.device("cpu"))


def test_every_recipe_is_proved_in_float64(subject: Subject) -> None:
    findings = prove(subject.model, subject.module)
    assert [finding.part for finding in findings] == parts(subject.model)
    assert unproved(findings) == ({"W_U"} if subject.name in recipes.FORGOTTEN else set())


VARIED = (
    *("llama-biases", "gpt2-tied", "neox-tied", "gemma2-gqa", "olmo2-gqa", "cohere-biases"),
    *("granite-multipliers", "glm4-gqa", "phi3-gqa", "falcon-new", "bloom", "mpt", "codegen"),
    *("opt-after-projected", "opt-no-gains", "qwen2_moe-gqa", "gpt_oss-gqa", "llama4_text-gqa"),
    *("qwen2_vl", "gemma3", "idefics3"),
)


@pytest.mark.parametrize("recipe", VARIED)
def test_models_as_they_come_are_proved_in_float32(recipe: str, one_thread: None) -> None:
    """Not yet in evaluation, with whatever attention and experts transformers prefers."""
    module: Any = recipes.ALL[recipe]()
    module.train()
    before = module.config.to_dict(), module.config._attn_implementation
    findings = prove(open_model(module, dtype="float32"), module)
    assert unproved(findings) == set()
    assert len(findings) == module.config.get_text_config().num_hidden_layers + 3
    assert module.training
    assert before == (module.config.to_dict(), module.config._attn_implementation)
    hooks = [hook for part in module.modules() for hook in part._forward_hooks.values()]
    assert not [hook for hook in hooks if hook.__module__.startswith("annotator")]


@pytest.mark.parametrize("entry", [e.name for entries in FAMILIES.values() for e in entries])
def test_what_is_wrong_in_an_entry_is_named(entry: str, subjects: list[Subject]) -> None:
    tried: set[str] = set()
    for subject in subjects:
        if subject.model.plan.family.name != entry or subject.name in recipes.FORGOTTEN:
            continue
        seen = observe(subject.module)
        for wrong in wrong_plans(subject.model.plan):
            if wrong.what not in tried:
                tried.add(wrong.what)
                named = unproved(compare(double(wrong.plan), seen))
                # What attention wrote is weighed as the entry says: a lost weight shows in X.
                assert named == wrong.parts - {"heads"}, (subject.name, wrong.what)
    assert len(tried) > 1


@pytest.mark.parametrize(
    "recipe",
    [
        *("gpt2-tied", "bloom", "gemma-gqa", "gemma3_text-gqa", "starcoder2-gqa", "falcon-new"),
        *(
            "mpt",
            "phi-gqa",
            "codegen",
            "gptj",
            "llama-gqa",
            "neox-parallel",
            "opt",
            "qwen2_moe-gqa",
        ),
    ],
)
def test_what_is_wrong_is_named_in_float32_too(recipe: str, one_thread: None) -> None:
    """An activation that is nearly the right one leaves a ten-thousandth."""
    module: Any = recipes.ALL[recipe]()
    model, seen = open_model(module, dtype="float32"), observe(module)
    assert unproved(compare(model, seen)) == set()
    for wrong in wrong_plans(model.plan):
        other = Model(wrong.plan, torch.float32, torch.device("cpu"))
        assert unproved(compare(other, seen)) == wrong.parts - {"heads"}, wrong.what


def test_a_vector_added_to_every_row_of_the_embedding_is_seen(
    subject_of: Callable[[str], Subject],
) -> None:
    """Only learned positions may be more than the embedding in what the first block reads."""
    for recipe in ("llama-gqa", "gpt2-tied", "neox-tied", "opt"):
        module = subject_of(recipe).module
        tensors = dict(module.state_dict())
        name = open_model(module).plan.embedding
        tensors[name] = tensors[name] + 0.3
        source = from_state_dict(tensors, module.config.to_dict())
        assert "W_E" in unproved(prove(open_model(source, dtype="float64"), module))


FUSED = ("gpt2-tied", "neox-parallel", "phi3-gqa", "falcon-new", "bloom", "mpt", "codegen")


@pytest.mark.parametrize("recipe", [*FUSED, "persimmon", "gpt_bigcode-mha"])
def test_another_value_rule_is_named_in_every_layer(
    recipe: str, subject_of: Callable[[str], Subject]
) -> None:
    subject = subject_of(recipe)
    plan, dims = subject.model.plan, subject.model.dims
    own, refuted = plan.family.values.rule, 0
    for rule, blocks in VALUE_BLOCKS.items():
        right = VALUE_BLOCKS[own](dims.n_heads, dims.n_kv_heads)
        chosen, count = blocks(dims.n_heads, dims.n_kv_heads)
        if count == right[1] and list(chosen) != list(right[0]) and len(chosen):
            values = replace(plan.family.values, rule=rule)
            wrong = replace(plan, family=replace(plan.family, values=values))
            named = unproved(prove(double(wrong), subject.module))
            assert named == {part for part in parts(subject.model) if "heads" in part}
            refuted += 1
    assert refuted


CHANGED = {
    "model.layers.1.self_attn.v_proj.weight": {"heads of layer 1"},
    "model.layers.0.self_attn.v_proj.bias": {"heads of layer 0"},
    "model.layers.2.self_attn.o_proj.weight": {"heads of layer 2"},
    "model.layers.0.mlp.gate_proj.weight": {"source representation"},
    "model.layers.0.mlp.down_proj.bias": {"source representation"},
    "model.layers.0.post_attention_layernorm.weight": {"source representation"},
    "model.embed_tokens.weight": {"W_E"},
    "lm_head.weight": {"W_U"},
    # what the maps do not need
    "model.layers.0.self_attn.q_proj.weight": set(),
    "model.layers.1.mlp.down_proj.weight": set(),
    "model.norm.weight": set(),
}


@pytest.mark.parametrize("name", CHANGED)
def test_a_tensor_that_differs_from_the_module_is_named(
    name: str, subject_of: Callable[[str], Subject]
) -> None:
    """The value bias among them: it goes into what a head writes, if not into its map."""
    module = subject_of("llama-biases").module
    tensors = dict(module.state_dict())
    generator = torch.Generator().manual_seed(3)
    noise = torch.randn(tensors[name].shape, generator=generator, dtype=torch.float64)
    tensors[name] = tensors[name] + 0.1 * noise
    source = from_state_dict(tensors, module.config.to_dict())
    assert unproved(prove(open_model(source, dtype="float64"), module)) == CHANGED[name]


def test_one_changed_number_in_one_head_is_enough(subject_of: Callable[[str], Subject]) -> None:
    module = copy.deepcopy(subject_of("llama-gqa").module)
    model = open_model(from_state_dict(dict(module.state_dict()), module.config.to_dict()))
    changed = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    changed["model.layers.1.self_attn.o_proj.weight"][5, 9] += 0.05
    other = open_model(from_state_dict(changed, module.config.to_dict()), dtype="float64")
    assert unproved(prove(double(model.plan), module)) == set()
    assert unproved(prove(other, module)) == {"heads of layer 1"}


def test_a_finding_at_its_limit_is_proved_and_one_that_is_no_number_is_not() -> None:
    assert Finding("W_E", 0.5, 0.5).proved
    assert not Finding("W_E", 0.6, 0.5).proved
    assert not Finding("W_E", float("nan"), 0.5).proved


def test_an_excerpt_is_held_against_the_layers_it_is_of(
    subject_of: Callable[[str], Subject],
) -> None:
    """A module of the first and last of three blocks."""
    subject = subject_of("llama-gqa")
    module = copy.deepcopy(subject.module)
    del module.model.layers[1]
    module.config.num_hidden_layers = 2
    for at, layer in enumerate(module.model.layers):
        layer.self_attn.layer_idx = at
    findings = prove(subject.model, module, layers=[0, 2])
    assert unproved(findings) == set()
    assert [f.part for f in findings if "heads" in f.part] == [
        "heads of layer 0",
        "heads of layer 2",
    ]
    assert "heads of layer 1" in unproved(prove(subject.model, module, layers=[0, 1]))
