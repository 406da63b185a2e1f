"""A config is a closed world: each key enters the map, is known not to, or is refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import CONFIG_MAPPING

from annotator.errors import CheckpointRefused, ModelError
from annotator.weights.config import ConfigSettings, assumed
from annotator.weights.families import FAMILIES, WRAPPERS
from annotator.weights.families.ignored_config_keys import INERT
from docs import generate
from tests.weights.configs import CASES, digest, layout, plan, published, small

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=4,
)

# What transformers works out where its classes hold null; the sizes among them are tested as sizes.
WORKED_OUT = {
    *("attn_config", "ffn_hidden_size", "head_dim", "is_encoder_decoder", "layer_types"),
    *("mlp_only_layers", "moe_layers", "num_key_value_heads", "num_kv_heads"),
    *("word_embed_proj_dim",),
}

# A value that differs from any of the small configs in a way that would show.
OTHER_VALUES: list[Any] = [
    *(6, 0, 8, "relu", "gelu", 7.5, [0], ["conv"], {"bits": 4}, {"clip_qkv": 6.0}),
    *(None, 1, 2, 3),
]

# Asked for as part of a matrix, of which the map takes the weight only.
NO_PART_OF_THE_MAP = {("seed_oss", "attention_out_bias")}

BOTH = pytest.mark.parametrize(("model_type", "says"), CASES)
EACH = pytest.mark.parametrize("model_type", FAMILIES)


def comes_to(config: Mapping[str, Any]) -> object:
    """All that a config decides before a tensor is read."""
    try:
        made = plan(config)
    except ModelError as error:
        return str(error)
    return made.family, made.dims, made.tied, made.needs(layers=[0]), made.constants()


def other_names(model_type: str, key: str) -> set[str]:
    pairs = assumed()[model_type]["names"].items()
    return {name for pair in pairs if key in pair for name in pair} - {key}


@BOTH
def test_a_key_that_nobody_knows_is_refused_by_name_and_may_be_null(
    model_type: str, says: dict[str, Any]
) -> None:
    config = small(model_type, **says)
    plan(config | {"a_new_idea": None})
    with pytest.raises(CheckpointRefused) as caught:
        plan(config | {"a_new_idea": 1})
    assert caught.value.reason == "its config has settings that may change the map: a_new_idea"


@settings(max_examples=40)
@given(
    model_type=st.sampled_from([name for name in FAMILIES if "moe" not in name]),
    key=st.from_regex(r"\A[a-z]{1,9}_x\Z"),
    value=JSON.filter(lambda value: value is not None),
)
def test_whatever_a_key_that_nobody_knows_says_it_is_refused(
    model_type: str, key: str, value: object
) -> None:
    with pytest.raises(CheckpointRefused) as caught:
        plan(small(model_type) | {key: value})
    assert caught.value.reason == f"its config has settings that may change the map: {key}"


def test_a_key_inside_attn_config_is_known_or_refused_as_well() -> None:
    config = small("mpt")
    inner = {"qk_ln": True, "alibi": False, "attn_pdrop": 0.5}
    assert comes_to(config | {"attn_config": inner}) == comes_to(config)
    with pytest.raises(CheckpointRefused, match=r"attn_config\.a_new_idea"):
        plan(config | {"attn_config": inner | {"a_new_idea": 3}})


def inert_keys(config: Mapping[str, Any]) -> list[str]:
    made = plan(config)
    return sorted({*INERT, *made.family.inert} - made.settings.asked - {"model_type"})


@EACH
def test_what_is_inert_never_changes_the_digest(model_type: str) -> None:
    config = small(model_type)
    keys = inert_keys(config)
    assert len(keys) > 100
    assert digest(config | dict.fromkeys(keys, 7)) == digest(config)


@settings(max_examples=40)
@given(data=st.data(), case=st.sampled_from(CASES))
def test_whatever_inert_keys_say_the_config_comes_to_the_same(
    data: st.DataObject, case: tuple[str, dict[str, Any]]
) -> None:
    config = small(case[0], **case[1])
    keys = st.sampled_from(inert_keys(config))
    others = data.draw(st.dictionaries(keys, JSON, max_size=6))
    assert comes_to(config | others) == comes_to(config)


@EACH
def test_each_key_that_is_asked_for_changes_what_the_config_comes_to(model_type: str) -> None:
    idle: set[str] = set()
    matters: set[str] = set()
    for says in (says for name, says in CASES if name == model_type):
        config = small(model_type, **says)
        before = comes_to(config)
        for key in {key.split(".")[0] for key in plan(config).settings.asked} - matters:
            apart = {n: v for n, v in config.items() if n not in other_names(model_type, key)}
            values = [value for value in OTHER_VALUES if _is_of_a_kind_that_is_read(key, value)]
            changed = (comes_to(apart | {key: value}) != before for value in values)
            (matters if any(changed) else idle).add(key)
    assert idle - matters == {key for name, key in NO_PART_OF_THE_MAP if name == model_type}


def _is_of_a_kind_that_is_read(key: str, value: object) -> bool:
    """Leaves out values that are no list or number where one is meant: not what is tested here."""
    if key in {"layer_types", "mlp_only_layers", "moe_layers"}:
        return isinstance(value, list)
    if key in {"num_experts", "num_local_experts", "logits_scaling"}:
        return isinstance(value, int) and value > 0
    return True


@EACH
def test_the_config_that_transformers_writes_is_accepted_as_it_is(model_type: str) -> None:
    whole = plan(published(model_type))
    changes = CONFIG_MAPPING[model_type]().to_diff_dict() | {"model_type": model_type}
    changed = plan(changes)
    assert (changed.family, changed.dims, changed.tied) == (whole.family, whole.dims, whole.tied)
    assert changed.constants() == whole.constants()


@EACH
def test_each_key_that_transformers_writes_is_classified(model_type: str) -> None:
    asked: set[str] = set()
    for says in (says for name, says in CASES if name == model_type):
        asked |= plan(small(model_type, **says)).settings.asked
    inert = {key for entry in FAMILIES[model_type] for key in entry.inert}
    assert published(model_type).keys() <= INERT | inert | asked


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_the_multimodal_config_that_transformers_writes_is_accepted(wrapper: str) -> None:
    config = CONFIG_MAPPING[wrapper]()
    made = plan(config.to_dict())
    text = config.get_text_config()
    assert made.family.model_type == WRAPPERS[wrapper].text == text.model_type
    assert made.tied == config.tie_word_embeddings == WRAPPERS[wrapper].tied
    assert made.dims == plan(text.to_dict()).dims
    assert plan(config.to_diff_dict()).dims == made.dims


def test_what_transformers_assumes_is_up_to_date() -> None:
    kept = (generate.TABLE / "defaults.json").read_text(encoding="utf-8")
    assert kept == generate.defaults()


@BOTH
def test_what_a_config_leaves_out_is_what_transformers_assumes(
    model_type: str, says: dict[str, Any]
) -> None:
    asked = plan(small(model_type, **says)).settings.asked
    read = ConfigSettings("the-model", {"model_type": model_type, **says}, assumed()[model_type])
    theirs = CONFIG_MAPPING[model_type](**says)
    for key in asked & theirs.to_dict().keys():
        ours = read.get(key)
        if ours is None and key in WORKED_OUT:
            continue
        names = [key, *other_names(model_type, key)]
        found = [ours, *(read.get(name) for name in names)]
        assert getattr(theirs, key) in found, key


@EACH
def test_sizes_that_a_config_leaves_out_are_those_of_transformers(model_type: str) -> None:
    theirs: Any = CONFIG_MAPPING[model_type]()
    dims = plan({"model_type": model_type}).dims
    assert dims.vocab == theirs.vocab_size
    assert dims.d_model == theirs.hidden_size
    assert dims.n_layers == theirs.num_hidden_layers
    assert dims.n_heads == theirs.num_attention_heads
    d_head = getattr(theirs, "head_dim", None)
    assert dims.d_head == (d_head or theirs.hidden_size // theirs.num_attention_heads)
    if model_type != "falcon":  # whose own num_kv_heads counts in its new layout only
        n_kv_heads = getattr(theirs, "num_key_value_heads", None)
        assert dims.n_kv_heads == (n_kv_heads or theirs.num_attention_heads)


TWO_NAMES = [(name, *pair) for name in FAMILIES for pair in assumed()[name]["names"].items()]


@pytest.mark.parametrize(("model_type", "one", "other"), TWO_NAMES)
def test_a_key_is_read_under_either_name_that_transformers_knows(
    model_type: str, one: str, other: str
) -> None:
    config = small(model_type)
    value = config.pop(one, config.pop(other, None))
    if value is None:
        assert {one, other} <= INERT
        return
    assert comes_to(config | {one: value}) == comes_to(config | {other: value})
    assert comes_to(config | {one: value}) != comes_to(config | {other: value * 2})


def test_qwen_calls_its_experts_by_either_name_where_it_asks_whether_there_are_any() -> None:
    config = small("qwen3_moe")
    experts = config.pop("num_experts")
    assert layout(config | {"num_local_experts": experts}).variant == "sparse"
    assert layout(config | {"num_local_experts": 0}).variant == "dense"


def test_two_names_of_one_key_that_disagree_are_not_settled_by_a_guess() -> None:
    with pytest.raises(ModelError):
        plan(small("gpt2") | {"n_head": 4, "num_attention_heads": 8})


def test_a_name_with_dots_reaches_into_nested_objects_only() -> None:
    for config in ({}, {"attn_config": None}, {"attn_config": []}, {"attn_config.clip_qkv": 6}):
        read = ConfigSettings("the-model", config, assumed()["mpt"])
        assert read.get("attn_config.attn_type") is None
    nested = {"attn_config": {"clip_qkv": 6}}
    assert ConfigSettings("the-model", nested, assumed()["mpt"]).get("attn_config.clip_qkv") == 6
