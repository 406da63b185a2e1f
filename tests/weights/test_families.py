"""Every table entry is proved by the model's own attention modules, and its neighbours refuted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from annotator.weights.check_tensors import verify
from annotator.weights.families import FAMILIES
from annotator.weights.family import VALUE_BLOCKS, Linear
from annotator.weights.model import LayerHeads, Model, open_model
from annotator.weights.plan import Plan
from tests import oracle, recipes, tiny
from tests.weights.conftest import Subject
from tests.weights.wrong import wrong_plans

HOLDS = 1e-10
FAILS = 1e-3

Cut = tuple[Tensor, Tensor | None, Tensor]


def left_over(subject: Subject, heads: list[LayerHeads]) -> list[Tensor]:
    cuts = [(one.W_V, one.b_V, one.W_O) for one in heads]
    return oracle.residuals(subject.attended, cuts.__getitem__)


def refuted(subject: Subject, plan: Plan) -> bool:
    """Whether the oracle disagrees in every layer, or the stack has another number of blocks."""
    wrong = Model(plan, torch.float64, torch.device("cpu"))
    try:
        heads = [wrong.heads(layer) for layer in range(plan.dims.n_layers)]
    except RuntimeError as error:
        return "unflatten" in str(error)
    return min(map(oracle.spread, left_over(subject, heads))) > FAILS


def blocks(rule: str, plan: Plan) -> tuple[list[int], int]:
    chosen, count = VALUE_BLOCKS[rule](plan.dims.n_heads, plan.dims.n_kv_heads)
    return list(chosen), count


def test_attention_oracle_holds(subject: Subject) -> None:
    left = left_over(subject, subject.heads)
    assert len(left) == subject.model.dims.n_layers > 1
    assert max(map(oracle.spread, left)) < HOLDS


def test_what_the_oracle_leaves_is_the_output_bias(subject: Subject) -> None:
    left = left_over(subject, subject.heads)
    for residual, bias in zip(left, subject.modules.output_biases(), strict=True):
        torch.testing.assert_close(residual[0], bias, atol=HOLDS, rtol=0)


def test_neighbour_rules_fail(subject: Subject) -> None:
    plan = subject.model.plan
    values = plan.family.values
    own = blocks(values.rule, plan)
    others = [rule for rule in VALUE_BLOCKS if blocks(rule, plan) != own]
    # CodeGen's rule where there are no four partitions: the sizes are refused
    others = [rule for rule in others if len(blocks(rule, plan)[0]) == plan.dims.n_kv_heads]
    assert others
    for rule in others:
        family = replace(plan.family, values=replace(values, rule=rule))
        assert refuted(subject, replace(plan, family=family)), rule


def test_every_fused_family_meets_a_neighbour_that_only_the_oracle_can_refute(
    subjects: list[Subject],
) -> None:
    """One with as many blocks in the stack, so that no shape tells."""
    fused, met = set(), set()
    for subject in subjects:
        plan = subject.model.plan
        rule = plan.family.values.rule
        if rule != "separate":
            own, others = blocks(rule, plan), [blocks(other, plan) for other in VALUE_BLOCKS]
            fused.add(plan.family.model_type)
            if any(count == own[1] and chosen != own[0] for chosen, count in others):
                met.add(plan.family.model_type)
    assert met == fused
    assert len(fused) >= 9


def test_a_square_matrix_read_the_other_way_round_fails(subject: Subject) -> None:
    plan, dims = subject.model.plan, subject.model.dims

    def turned(linear: Linear) -> Linear:
        return replace(linear, stored="in_out" if linear.stored == "out_in" else "out_in")

    if dims.n_heads * dims.d_head == dims.d_model:
        family = replace(plan.family, output=turned(plan.family.output))
        assert refuted(subject, replace(plan, family=family))
    values = plan.family.values
    if values.rule == "separate" and dims.n_kv_heads * dims.d_head == dims.d_model:
        family = replace(plan.family, values=replace(values, linear=turned(values.linear)))
        assert refuted(subject, replace(plan, family=family))


def test_wrong_cuts_fail(subject: Subject) -> None:
    h, k = subject.model.dims.n_heads, subject.model.dims.n_kv_heads
    wrong: dict[str, Callable[[Cut], Cut]] = {
        "outputs rolled": lambda cut: (cut[0], cut[1], cut[2].roll(1, 0)),
        "columns rolled": lambda cut: (cut[0].roll(1, 2), cut[1], cut[2]),
    }
    if k > 1:
        wrong["values rolled"] = lambda cut: (
            *(cut[0].roll(1, 0), None if cut[1] is None else cut[1].roll(1, 0), cut[2]),
        )
    if 1 < k < h:  # as if query head h read value head h % n_kv_heads
        wrong["dealt"] = lambda cut: (
            *cut[:2],
            cut[2].unflatten(0, (h // k, k)).transpose(0, 1).flatten(0, 1),
        )
    for what, change in wrong.items():
        heads = [LayerHeads(*change((one.W_V, one.b_V, one.W_O))) for one in subject.heads]
        assert min(map(oracle.spread, left_over(subject, heads))) > FAILS, what


@pytest.mark.parametrize("recipe", ["granite-multipliers", "granite-biases"])
def test_heads_that_lack_the_residual_scale_fail(
    recipe: str, subject_of: Callable[[str], Subject]
) -> None:
    subject = subject_of(recipe)
    wrong = [wrong.plan for wrong in wrong_plans(subject.model.plan) if "heads" in wrong.parts]
    assert len(wrong) == 1
    assert refuted(subject, wrong[0])


def test_a_lost_value_bias_shows_in_what_is_left(subject: Subject) -> None:
    """Rows of the pattern sum to 1 (but for sinks), so that it adds one constant vector."""
    kept = left_over(subject, subject.heads)
    lost = left_over(subject, [replace(one, b_V=None) for one in subject.heads])
    same = [torch.allclose(a[0], b[0]) for a, b in zip(kept, lost, strict=True)]
    assert same == [one.b_V is None for one in subject.heads]


SHARDED = (
    *("llama-gqa", "gpt2-tied", "neox-parallel", "phi3-gqa", "falcon-new", "codegen"),
    *("opt-after-projected-untied", "qwen2_moe-gqa", "gpt_oss-gqa", "llama4_text-gqa", "llava"),
)


@pytest.mark.parametrize("recipe", SHARDED)
def test_shards_give_what_one_file_gives(
    recipe: str, subject_of: Callable[[str], Subject], tmp_path: Path
) -> None:
    subject = subject_of(recipe)
    subject.module.save_pretrained(tmp_path, max_shard_size="40KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    sharded = open_model(tmp_path, dtype="float64")
    heads = [sharded.heads(layer) for layer in range(sharded.dims.n_layers)]
    left = left_over(subject, heads)
    assert max(map(oracle.spread, left)) < HOLDS
    assert verify(sharded.plan) == verify(subject.model.plan)


def test_every_entry_is_in_the_proof(subjects: list[Subject]) -> None:
    proved = {subject.model.plan.family.name for subject in subjects}
    entries = [entry.name for entries in FAMILIES.values() for entry in entries]
    assert len(entries) == len(set(entries))
    assert proved == set(entries)


def reached(subjects: list[Subject], what: Callable[[Plan], Any]) -> dict[str, set[Any]]:
    """What the recipes of each model_type have."""
    found: dict[str, set[Any]] = defaultdict(set)
    for subject in subjects:
        plan = subject.model.plan
        found[plan.family.model_type].add(what(plan))
    return found


def test_every_family_is_proved_tied_and_untied(subjects: list[Subject]) -> None:
    ties = reached(subjects, lambda plan: plan.tied)
    assert ties == {model_type: {True, False} for model_type in FAMILIES}


def test_every_family_is_proved_in_every_head_layout_it_has(subjects: list[Subject]) -> None:
    def layout(plan: Plan) -> str:
        h, k = plan.dims.n_heads, plan.dims.n_kv_heads
        return "each its own" if k == h else "one" if k == 1 else "some"

    layouts = reached(subjects, layout)
    of_old = {"bloom", "codegen", "gpt2", "gpt_neo", "gpt_neox", "gptj", "mpt", "opt", "persimmon"}
    assert {kind for kind, seen in layouts.items() if seen == {"each its own"}} == of_old
    assert layouts["gpt_bigcode"] == {"each its own", "one"}
    grouped = FAMILIES.keys() - of_old - {"gpt_bigcode"}
    assert all(layouts[kind] == {"each its own", "some", "one"} for kind in grouped)


def test_every_family_is_proved_with_heads_of_another_width(subjects: list[Subject]) -> None:
    """Another than d_model / n_heads, where a config can state one."""
    dims = reached(subjects, lambda plan: plan.dims.d_model == plan.dims.n_heads * plan.dims.d_head)
    able = {kind for kind, entries in FAMILIES.items() if isinstance(entries[0].axes.d_head, str)}
    assert {kind for kind, square in dims.items() if False in square} == able - {*recipes.SQUARE}


def test_every_bias_that_a_config_can_switch_is_proved_on_and_off(subjects: list[Subject]) -> None:
    seen: dict[tuple[str, str], set[bool]] = defaultdict(set)
    for subject in subjects:
        plan = subject.model.plan
        for linear in linears(plan.family):
            if isinstance(linear.bias, str):
                seen[plan.family.name, linear.bias].add(plan.settings.flag(linear.bias))
    assert {key for key, values in seen.items() if len(values) < 2} == set()


def linears(part: Any) -> list[Linear]:
    """Every linear map in an entry, or in a part of one."""
    if isinstance(part, Linear):
        return [part]
    if isinstance(part, tuple):
        return [linear for one in part for linear in linears(one)]
    fields = vars(part).values() if hasattr(part, "__dataclass_fields__") else ()
    return [linear for value in fields for linear in linears(value)]


def test_only_keeps_the_head_and_its_value_head() -> None:
    heads = open_model(tiny.llama(), dtype="float64").heads(1)
    one = heads.only(3)
    assert torch.equal(one.W_V[0], heads.W_V[1])
    assert torch.equal(one.W_O[0], heads.W_O[3])
