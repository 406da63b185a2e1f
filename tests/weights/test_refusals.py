"""What is not handled is refused by name, with the reason and with what to do."""

from __future__ import annotations

from typing import Any

import pytest

from annotator.errors import CheckpointBroken, CheckpointRefused, ModelError, UnknownFamily
from annotator.weights.config import assumed
from annotator.weights.families import FAMILIES, REFUSALS, WRAPPERS
from annotator.weights.family import Experts
from tests.weights.configs import CASES, LAYOUTS, Header, plan, small

QUANTISED = {"quant_method": "gptq", "bits": 4}


def refusal(config: dict[str, Any]) -> CheckpointRefused:
    with pytest.raises(CheckpointRefused) as caught:
        plan(config)
    assert str(caught.value).startswith("the-model is refused: ")
    return caught.value


def problems(config: dict[str, Any]) -> list[str]:
    with pytest.raises(CheckpointBroken) as caught:
        plan(config)
    return list(caught.value.problems)


def test_the_small_configs_have_every_layout_of_the_table() -> None:
    planned = [plan(small(model_type, **says)).family for model_type, says in CASES]
    assert planned
    for family in (family for entries in FAMILIES.values() for family in entries):
        assert family in planned, (family.model_type, family.variant)


@pytest.mark.parametrize("model_type", REFUSALS)
def test_an_architecture_that_is_not_mapped_is_refused_with_its_reason(model_type: str) -> None:
    refused = refusal({"model_type": model_type})
    assert model_type not in FAMILIES
    assert f"family {model_type!r}" in refused.reason
    assert REFUSALS[model_type] in refused.reason
    assert all(known in refused.remedy for known in FAMILIES)


@pytest.mark.parametrize("model_type", ["gpt3", "LLAMA", "llama ", "llama2", "gemma3n_text"])
def test_an_architecture_that_nobody_knows_is_named_with_those_supported(model_type: str) -> None:
    with pytest.raises(UnknownFamily) as caught:
        plan({"model_type": model_type})
    assert caught.value.family == model_type
    assert repr(model_type) in str(caught.value)
    assert all(known in str(caught.value) for known in FAMILIES)


@pytest.mark.parametrize("config", [{}, {"model_type": None}, {"model_type": ""}])
def test_a_config_without_model_type_is_broken(config: dict[str, Any]) -> None:
    assert problems(config) == ["its config names no model_type"]


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_a_multimodal_model_is_refused_for_the_text_tower_it_holds(wrapper: str) -> None:
    for model_type in ("qwen3_next", "mamba2", "deepseek_v3", "t5"):
        refused = refusal({"model_type": wrapper, "text_config": {"model_type": model_type}})
        assert f"family {model_type!r}" in refused.reason
        assert REFUSALS[model_type] in refused.reason
    with pytest.raises(UnknownFamily) as caught:
        plan({"model_type": wrapper, "text_config": {"model_type": "gpt3"}})
    assert caught.value.family == "gpt3"


def test_a_wrapper_within_a_wrapper_is_no_text_tower() -> None:
    with pytest.raises(UnknownFamily) as caught:
        plan({"model_type": "llava", "text_config": {"model_type": "gemma3"}})
    assert caught.value.family == "gemma3"


UNHANDLED = [
    ("olmo", {"clip_qkv": 8.0}, "clamps values"),
    ("olmoe", {"clip_qkv": 0.5}, "clamps values"),
    ("mpt", {"attn_config": {"clip_qkv": 6}}, "clamps values"),
    ("mpt", {"attn_config": {"attn_type": "multiquery_attention"}}, "otherwise"),
    ("mpt", {"expansion_ratio": 3}, "otherwise"),
    ("mpt", {"no_bias": False}, "otherwise"),
    ("mpt", {"norm_type": "rmsnorm"}, "otherwise"),
    ("mpt", {"logit_scale": 0.5}, "otherwise"),
    ("bloom", {"apply_residual_connection_post_layernorm": True}, "residual stream"),
    ("bloom", {"slow_but_exact": True}, "leaves biases out"),
    ("gpt2", {"add_cross_attention": True}, "cross-attention"),
    ("gpt_bigcode", {"add_cross_attention": True}, "cross-attention"),
    ("gpt_oss", {"swiglu_limit": 10.0}, "constants"),
    ("gpt_oss", {"swiglu_alpha": 1.0}, "constants"),
    ("hunyuan_v1_dense", {"norm_type": "layer"}, "no other"),
    ("hunyuan_v1_dense", {"use_cla": True}, "share keys and values"),
    ("phi3", {"attention_bias": True}, "no such bias"),
    ("mistral", {"attention_bias": True}, "no such bias"),
    ("qwen2", {"mlp_bias": True}, "no such bias"),
    ("starcoder2", {"mlp_type": "gated"}, "no other"),
    ("starcoder2", {"norm_type": "rms_norm"}, "no other"),
]


@pytest.mark.parametrize(("model_type", "says", "reason"), UNHANDLED)
def test_a_value_that_is_not_handled_is_named_with_its_reason(
    model_type: str, says: dict[str, Any], reason: str
) -> None:
    plan(small(model_type))
    refused = refusal(small(model_type) | says)
    [(key, value)] = says.items()
    for part, inner in value.items() if isinstance(value, dict) else [(None, value)]:
        named = f"{key}.{part}" if part else key
        assert f"{named} = {inner!r} is not handled: " in refused.reason
    assert reason in refused.reason
    assert "annotator families" in refused.remedy


def test_every_value_that_is_not_handled_has_a_test() -> None:
    for model_type, entries in FAMILIES.items():
        for only in (only for entry in entries for only in entry.only):
            key = only.key.split(".")[0]
            assert any(model_type == name and key in says for name, says, _ in UNHANDLED), only.key


@pytest.mark.parametrize("model_type", FAMILIES)
def test_what_no_family_handles_is_refused_for_each(model_type: str) -> None:
    config = small(model_type)
    quantised = refusal(config | {"quantization_config": QUANTISED})
    assert f"quantization_config = {QUANTISED!r} is not handled" in quantised.reason
    assert "quantised" in quantised.reason
    encoder = refusal(config | {"is_encoder_decoder": True})
    assert "is_encoder_decoder = True is not handled" in encoder.reason
    plan(config | {"quantization_config": None, "is_encoder_decoder": False})


@pytest.mark.parametrize("layers", [["linear_attention"], ["conv", "mamba"], ["full_attention9"]])
@pytest.mark.parametrize("model_type", ["llama", "qwen3", "gemma2", "gpt2", "olmo3"])
def test_layers_without_attention_are_named(model_type: str, layers: list[str]) -> None:
    layer_types = ["full_attention", "sliding_attention", *layers]
    config = small(model_type) | {"layer_types": layer_types}
    assert f"no attention of their own ({', '.join(sorted(layers))})" in refusal(config).reason


@pytest.mark.parametrize("kind", ["full_attention", "sliding_attention", "chunked_attention"])
def test_layers_with_attention_are_all_handled(kind: str) -> None:
    plan(small("qwen3") | {"layer_types": [kind, kind]})


@pytest.mark.parametrize("wrapper", ["llava", "gemma3", "qwen2_vl", "llama4"])
@pytest.mark.parametrize("inside", [True, False], ids=["inside", "beside"])
def test_quantised_text_of_a_multimodal_model_is_refused(wrapper: str, inside: bool) -> None:
    text = small(WRAPPERS[wrapper].text)
    config = {"model_type": wrapper, "text_config": text}
    plan(config)
    if inside:
        config["text_config"] = text | {"quantization_config": QUANTISED}
    else:
        config["quantization_config"] = QUANTISED
    assert "quantization_config = " in refusal(config).reason


def test_a_setting_inside_the_text_config_is_refused_as_outside_a_wrapper() -> None:
    text = small("olmo") | {"clip_qkv": 8.0, "a_new_idea": 1}
    reason = refusal({"model_type": "llava", "text_config": text}).reason
    assert "clip_qkv = 8.0" in reason
    assert "a_new_idea" in reason


def test_all_that_is_refused_is_named_at_once() -> None:
    says = {"clip_qkv": 8.0, "layer_types": ["conv"], "is_encoder_decoder": True}
    says |= {"quantization_config": QUANTISED, "b_idea": 0, "a_idea": []}
    refused = refusal(small("olmo") | says)
    for part in ("clip_qkv = 8.0", "(conv)", "is_encoder_decoder = True", "quantization_config = "):
        assert part in refused.reason
    assert "settings that may change the map: a_idea, b_idea" in refused.reason
    assert "delete it from the config.json" in refused.remedy


@pytest.mark.parametrize("heads", [1, 2, 6])
def test_heads_that_do_not_make_codegens_partitions(heads: int) -> None:
    config = small("codegen") | {"n_head": heads, "n_embd": 24}
    assert problems(config) == [f"{heads} heads do not make the four partitions of CodeGen"]


@pytest.mark.parametrize(("model_type", "says"), CASES)
def test_more_experts_per_token_than_there_are(model_type: str, says: dict[str, Any]) -> None:
    config = small(model_type, **says)
    mlp = plan(config).family.mlp
    if isinstance(mlp, Experts):
        assert isinstance(mlp.per_token, str)
        plan(config | {mlp.per_token: 2})
        said = problems(config | {mlp.per_token: 3})
        assert said == ["it has 2 experts, of which a token passes 3"]


@pytest.mark.parametrize("model_type", [name for name in FAMILIES if name not in LAYOUTS])
def test_sizes_that_do_not_fit_are_all_named(model_type: str) -> None:
    config, axes = small(model_type), plan(small(model_type)).family.axes
    assert isinstance(axes.n_heads, str)
    assert isinstance(axes.n_layers, str)
    said = problems(config | {axes.n_heads: 0, axes.n_layers: "two", axes.vocab: None})
    for key in (axes.n_heads, axes.n_layers, axes.vocab):
        assert any(f"lacks {key!r} as a positive whole number" in problem for problem in said)
    if not isinstance(axes.d_head, str):
        assert "d_model 17 is not a multiple of n_heads 4" in problems(config | {axes.d_model: 17})
    if isinstance(axes.n_kv_heads, str):
        uneven = problems(config | {axes.n_kv_heads: 3})
        assert uneven == ["n_heads 4 is not a multiple of n_kv_heads 3"]
    with pytest.raises(CheckpointBroken, match="its config says 40 layers, but it has 39 tensors"):
        plan(config | {axes.n_layers: 40}, count=39)


@pytest.mark.parametrize(("model_type", "says"), CASES)
def test_of_a_gguf_file_nothing_is_assumed(model_type: str, says: dict[str, Any]) -> None:
    known = plan(small(model_type, **says))
    named_twice = {name for pair in assumed()[model_type]["names"].items() for name in pair}
    asked = {key: known.settings.get(key) for key in known.settings.asked - named_twice}
    config = {key: value for key, value in asked.items() if value is not None and "." not in key}
    config |= small(model_type, **says)
    axes = known.family.axes
    assert plan(config, Header).dims == known.dims
    for key in (axes.vocab, axes.d_model, axes.n_layers, axes.n_heads):
        assert isinstance(key, str)
        lacking = {name: value for name, value in config.items() if name != key}
        with pytest.raises(CheckpointBroken) as caught:
            plan(lacking, Header)
        assert any(f"lacks {key!r}" in problem for problem in caught.value.problems)


WRONG = [
    ("llama", {"layer_types": 3}),
    ("qwen3_moe", {"num_experts": None}),
    ("qwen2_moe", {"num_experts": "many"}),
    ("qwen2_moe", {"mlp_only_layers": 3}),
    ("llama4_text", {"moe_layers": 3}),
    ("granite", {"logits_scaling": 0}),
    ("gemma", {"hidden_size": -1}),
    ("opt", {"word_embed_proj_dim": "wide"}),
    ("llama", {"rms_norm_eps": 10**400}),
    ("llava", {"text_config": ["vicuna"]}),
    ("llava", {"text_config": "vicuna"}),
]


@pytest.mark.parametrize(("model_type", "says"), WRONG)
def test_a_value_of_the_wrong_kind_is_an_error_in_words(
    model_type: str, says: dict[str, Any]
) -> None:
    config = small(model_type) if model_type in FAMILIES else {"model_type": model_type}
    with pytest.raises(ModelError, match=next(iter(says))):
        plan(config | says)
