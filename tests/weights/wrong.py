"""Table entries with one thing wrong: what the proofs must refute, and in which part.

Each change takes a right plan and gives one that reads something else from the same tensors, or
nothing where it does not apply or would change nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from annotator.weights.config_expressions import Const
from annotator.weights.family import Experts, Family, GatedMlp, Linear, Norm, PlainMlp, RowRange
from annotator.weights.plan import Plan

Part = Literal["W_E", "W_U", "source representation", "heads"]
Changes = Iterator[tuple[str, dict[str, Any]]]


@dataclass(frozen=True)
class Wrong:
    """A plan with one thing wrong.

    Attributes:
        what: the thing.
        parts: what then comes out wrong.
        plan: it.
    """

    what: str
    parts: frozenset[Part]
    plan: Plan


NEAR = {
    "bloom_gelu": "gelu",
    "clamped_swiglu": "quick_gelu",
    "gelu": "gelu_new",
    "gelu_new": "gelu",
    "gelu_pytorch_tanh": "gelu",
    "relu": "gelu",
    "relu2": "relu",
    "silu": "quick_gelu",
}
"""An activation that is easily taken for another."""

OTHER_ROWS: dict[RowRange, RowRange] = {
    "first half": "even",
    "second half": "odd",
    "even": "first half",
    "odd": "second half",
}


def wrong_plans(plan: Plan) -> Iterator[Wrong]:
    """Everything below that applies to a plan."""
    family, settings = plan.family, plan.settings
    for what, changes in _ends(family, plan):
        part: Part = "W_E" if "W_E" in changes else "W_U"
        yield Wrong(what, frozenset({part}), replace(plan, family=replace(family, **changes)))
    if not plan.tied:
        yield Wrong("taken for tied", frozenset({"W_U"}), replace(plan, tied=True))
    for read in (_norms, _mlp, _experts):
        for what, changes in read(family, plan):
            changed = replace(plan, family=replace(family, **changes))
            yield Wrong(what, frozenset({"source representation"}), changed)
    if settings.number(family.residual_scale) != 1:
        changed = replace(plan, family=replace(family, residual_scale=Const(1)))
        both: frozenset[Part] = frozenset({"heads", "source representation"})
        yield Wrong("residual scale dropped", both, changed)


def _ends(family: Family, plan: Plan) -> Changes:
    number = plan.settings.number
    for name, end in (("W_E", family.W_E), ("W_U", family.W_U)):
        if number(end.scale) != 1:
            yield f"{name} scale dropped", {name: replace(end, scale=Const(1))}
            yield f"{name} scale squared", {name: replace(end, scale=Const(number(end.scale) ** 2))}
        if end.norm:
            yield f"{name} norm dropped", {name: replace(end, norm=None)}
            eps = replace(end.norm, eps=Const(10 * number(end.norm.eps)))
            yield f"{name} norm's epsilon wrong", {name: replace(end, norm=eps)}
            if end.norm.bias:
                bare = replace(end, norm=replace(end.norm, bias=False))
                yield f"{name} norm's bias dropped", {name: bare}


def _norms(family: Family, plan: Plan) -> Changes:
    for key, norm in (("norm", family.norm), ("post_norm", family.post_norm)):
        if norm is None:
            continue
        yield f"{key} dropped", {key: None}
        kind: Any = {"layer": "rms", "rms": "layer"}[norm.kind]
        yield f"{key} of the other kind", {key: replace(norm, kind=kind)}
        eps = Const(10 * plan.settings.number(norm.eps))
        yield f"{key}'s epsilon wrong", {key: replace(norm, eps=eps)}
        if plan.settings.flag(norm.affine):
            yield f"{key}'s gain without its offset", {key: replace(norm, offset=1 - norm.offset)}
            if norm.bias:
                yield f"{key}'s bias dropped", {key: replace(norm, bias=False)}
        for other in other_norms(plan, norm):
            yield f"{key} taken from {other}", {key: replace(norm, name=other)}
    if family.norm is None and family.post_norm:
        for other in other_norms(plan, family.post_norm):
            yield f"norm invented from {other}", {"norm": replace(family.post_norm, name=other)}


def other_norms(plan: Plan, norm: Norm) -> list[str]:
    """What else in the first block could be taken for this norm."""
    root = plan.place.decoder
    block = root + plan.family.values.linear.name.partition("{layer}")[0] + "0."
    names = [
        name.removesuffix(".weight")
        for name in sorted(plan.present)
        if name.startswith(block)
        and name.endswith(".weight")
        and plan.source.shape(name) == (plan.dims.d_model,)
    ]
    return [
        name.removeprefix(root)
        for name in names
        if name != root + norm.name and (f"{name}.bias" in plan.present or not norm.bias)
    ]


def _mlp(family: Family, plan: Plan) -> Changes:
    near = NEAR[str(plan.settings.value(family.activation))]
    yield "another activation", {"activation": Const(near)}
    for what, dense in _dense(family.mlp, plan):
        yield what, {"mlp": dense}
    if isinstance(family.mlp, Experts):
        form = next(_held(family.mlp, plan))
        for what, dense in _dense(form, plan):
            yield f"experts: {what}", {"mlp": replace(family.mlp, forms=(dense,))}


def _held(mlp: Experts, plan: Plan) -> Iterator[GatedMlp]:
    """The form of experts that a source has."""
    for form in mlp.forms:
        if plan.name(form.gate.weight.format(expert=0)) in plan.present:
            yield form


def _dense(mlp: Any, plan: Plan) -> Iterator[tuple[str, Any]]:
    if isinstance(mlp, GatedMlp):
        yield "gate and up swapped", replace(mlp, gate=mlp.up, up=mlp.gate)
        if mlp.gate.rows != "all":
            gate, up = (replace(x, rows=OTHER_ROWS[x.rows]) for x in (mlp.gate, mlp.up))
            yield "rows taken in another pattern", replace(mlp, gate=gate, up=up)
    if isinstance(mlp, GatedMlp | PlainMlp):
        for name, linear in vars(mlp).items():
            if plan.settings.flag(linear.bias):
                yield f"bias of {name} dropped", replace(mlp, **{name: _without_bias(linear)})


def _without_bias(linear: Linear) -> Linear:
    return replace(linear, bias=False)


def _experts(family: Family, plan: Plan) -> Changes:
    mlp = family.mlp
    if not isinstance(mlp, Experts):
        return
    chosen = int(plan.settings.number(mlp.per_token))
    whole = bool(plan.settings.value(mlp.renormalise)) or mlp.weighing == "chosen softmax"
    if mlp.weighing != "chosen softmax":
        yield "renormalised the other way", {"mlp": replace(mlp, renormalise=Const(not whole))}
    for weighing in ("softmax", "chosen softmax", "sigmoid"):
        # both softmaxes are one where weights are made to sum to 1, as all are for one expert
        same = whole and (chosen == 1 or ("softmax" in weighing and mlp.weighing == "softmax"))
        if weighing != mlp.weighing and not same:
            yield f"weighed by {weighing}", {"mlp": replace(mlp, weighing=weighing)}
    yield "one expert more", {"mlp": replace(mlp, per_token=Const(chosen + 1))}
    if not (whole and chosen == 1):
        yield "input and output", {"mlp": replace(mlp, weighs_input=not mlp.weighs_input)}
    if plan.settings.flag(mlp.router.bias):
        yield "router's bias dropped", {"mlp": replace(mlp, router=_without_bias(mlp.router))}
    if mlp.shared:
        yield "shared expert dropped", {"mlp": replace(mlp, shared=None)}
        if mlp.shared.gate:
            open_gate = replace(mlp.shared, gate=None)
            yield "shared expert's gate dropped", {"mlp": replace(mlp, shared=open_gate)}
        for what, dense in _dense(mlp.shared.mlp, plan):
            shared = replace(mlp.shared, mlp=dense)
            yield f"shared expert: {what}", {"mlp": replace(mlp, shared=shared)}
