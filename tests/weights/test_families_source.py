"""X is what the model's own norms and first MLP write; entries with one thing wrong are refuted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

import pytest
import torch
import transformers

from annotator.weights.families import FAMILIES
from annotator.weights.family import Experts
from annotator.weights.in_memory import from_state_dict
from annotator.weights.model import Model, open_model
from annotator.weights.plan import Plan
from tests.weights.conftest import Subject
from tests.weights.wrong import wrong_plans

EXACT = 1e-12
ROUNDED = 1e-6
"""transformers computes RMS norms, Cohere's and OLMo's layer norms and routers in float32."""
FAILS = 3e-5


def rounded(plan: Plan) -> bool:
    norms = {norm.kind for norm in (plan.family.norm, plan.family.post_norm) if norm}
    own_layer_norms = ("cohere", "cohere2", "olmo")
    return "rms" in norms or plan.family.model_type in own_layer_norms


def left_over(subject: Subject, plan: Plan) -> float:
    """The largest difference from the module's X, relative to its largest entry."""
    model = Model(plan, torch.float64, torch.device("cpu"))
    left = model.first_mlp()(subject.ends.embedded) - subject.X
    return float(left.abs().max() / subject.X.abs().max())


def test_the_source_representation_is_what_the_first_mlp_writes(subject: Subject) -> None:
    plan = subject.model.plan
    assert subject.X.shape == (plan.dims.vocab, plan.dims.d_model)
    assert left_over(subject, plan) < (ROUNDED if rounded(plan) else EXACT)


def test_it_follows_from_the_embedding_that_is_read(subject: Subject) -> None:
    X = subject.model.first_mlp()(subject.model.W_E())
    assert float((X - subject.X).abs().max() / subject.X.abs().max()) < 3 * ROUNDED


@pytest.mark.parametrize("entry", [e.name for entries in FAMILIES.values() for e in entries])
def test_an_entry_with_one_thing_wrong_gives_another(entry: str, subjects: list[Subject]) -> None:
    tried: set[str] = set()
    for subject in subjects:
        if subject.model.plan.family.name == entry:
            for wrong in wrong_plans(subject.model.plan):
                if "source representation" in wrong.parts and wrong.what not in tried:
                    assert left_over(subject, wrong.plan) > FAILS, (subject.name, wrong.what)
                    tried.add(wrong.what)
    assert len(tried) > 1


def test_each_kind_of_mistake_is_made_somewhere(subjects: list[Subject]) -> None:
    made: dict[str, set[str]] = defaultdict(set)
    for subject in subjects:
        for wrong in wrong_plans(subject.model.plan):
            made[wrong.what.partition(" from ")[0]].add(subject.model.plan.family.name)
    one_of = {
        *("norm dropped", "norm of the other kind", "norm's epsilon wrong", "norm taken"),
        *("norm's gain without its offset", "norm's bias dropped", "norm invented"),
        *("post_norm dropped", "post_norm of the other kind", "post_norm's epsilon wrong"),
        *("post_norm taken", "post_norm's gain without its offset", "residual scale dropped"),
        *("another activation", "gate and up swapped", "rows taken in another pattern"),
        *("bias of gate dropped", "bias of up dropped", "bias of down dropped"),
        *("experts: gate and up swapped", "experts: rows taken in another pattern"),
        *("experts: bias of up dropped", "experts: bias of down dropped"),
        *("renormalised the other way", "weighed by softmax", "weighed by chosen softmax"),
        *("weighed by sigmoid", "one expert more", "input and output", "router's bias dropped"),
        *("shared expert dropped", "shared expert's gate dropped"),
        *("shared expert: gate and up swapped",),
        *("W_E scale dropped", "W_E norm dropped", "W_E norm's epsilon wrong"),
        *("W_U scale dropped", "taken for tied"),
    }
    assert one_of <= made.keys()
    sparse = {
        e.name for entries in FAMILIES.values() for e in entries if isinstance(e.mlp, Experts)
    }
    assert made["one expert more"] == sparse
    assert made["another activation"] == {e.name for es in FAMILIES.values() for e in es}


def test_a_gelu_in_a_gemma_config_means_its_approximation(
    subject_of: Callable[[str], Subject],
) -> None:
    """As transformers reads the official ones; the module that it builds of this one says so."""
    subject = subject_of("gemma-gqa")
    config = subject.module.config.to_dict() | {"hidden_act": "gelu"}
    model = open_model(from_state_dict(subject.module.state_dict(), config), dtype="float64")
    assert transformers.GemmaConfig(hidden_act="gelu").hidden_act == "gelu_pytorch_tanh"
    assert left_over(subject, model.plan) < ROUNDED
