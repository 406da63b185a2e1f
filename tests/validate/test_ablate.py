"""Which heads are silenced, beside what, and what is read where: the ablation of a relation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from annotator.records import HeadId, Relation, RelationPairs, RelationScore
from annotator.tokens.vocabulary import Vocabulary, from_tokenizer
from annotator.validate.ablation_accuracy import CONTROL, OWN, RANDOM
from annotator.validate.ablation_curves import (
    AblationTask,
    ablate,
    base_correct,
    controls_of,
    most_heads,
    random_heads,
    relation_heads,
    task_of,
    why_dropped,
)
from annotator.validate.zero_ablation import count_right
from annotator.weights.dims import Dims
from annotator.weights.model import Model
from tests import tiny
from tests.validate.test_silence import opened

H = HeadId


DIMS = Dims(vocab=9, d_model=8, d_head=2, d_mlp=8, n_layers=3, n_heads=4, n_kv_heads=2)


def score(relation: str, layer: int, head: int, phi: float) -> RelationScore:
    return RelationScore(H(layer, head), relation, 10, 40, phi, 0.1, 0.1, 0.0, 1.0, 1.0)


def test_heads_come_by_phi_then_layer_then_head_and_never_at_zero() -> None:
    scores = [
        *(score("a", 0, 3, 0.5), score("a", 1, 0, 0.5), score("a", 1, 2, 0.5)),
        *(score("a", 2, 1, 0.1), score("a", 2, 3, 0.0), score("a", 0, 0, 0.9)),
        score("b", 0, 0, 0.0),
    ]
    order = (H(0, 0), H(1, 2), H(1, 0), H(0, 3), H(2, 1))
    assert relation_heads(scores, 30) == {"a": order, "b": ()}
    assert relation_heads(reversed(scores), 2) == {"a": order[:2], "b": ()}


@pytest.mark.parametrize(
    ("layers", "heads", "most"),
    [
        *((299, 1, 30), (30, 9, 30), (30, 10, 50), (499, 1, 50), (500, 1, 100), (999, 1, 100)),
        *((1000, 1, 150), (32, 32, 150), (1499, 1, 150), (1500, 1, 250), (80, 64, 250)),
    ],
)
def test_how_many_are_silenced_follows_the_size(layers: int, heads: int, most: int) -> None:
    assert most_heads(Dims(9, 8, 2, 8, layers, heads, heads)) == most


@given(
    own=st.sets(st.tuples(st.integers(0, 2), st.integers(0, 3)), max_size=12),
    count=st.integers(0, 12),
    seed=st.integers(0, 9),
)
def test_random_heads_are_others_and_as_many_or_none(
    own: set[tuple[int, int]], count: int, seed: int
) -> None:
    heads = [H(*pair) for pair in own]
    drawn = random_heads(DIMS, "a", heads, count, seed)
    assert len(drawn) == (5 if count <= 12 - len(heads) else 0)
    for draw in drawn:
        assert len(set(draw)) == len(draw) == count
        assert not set(draw) & set(heads)
    assert drawn == random_heads(DIMS, "a", heads[::-1], count, seed)


def test_random_heads_differ_by_draw_relation_and_seed() -> None:
    drawn = random_heads(DIMS, "a", [], 6)
    assert len(set(drawn)) == 5
    assert drawn != random_heads(DIMS, "b", [], 6)
    assert drawn != random_heads(DIMS, "a", [], 6, seed=1)


TEN = [H(layer, head) for layer in range(3) for head in range(4)][:10]


def test_controls_share_few_heads_and_are_answered_alike() -> None:
    bases = {
        "own": 0.5,
        "near": 0.7,
        "far": 0.71,
        "poor": 0.09,
        "same": 0.5,
        "one": 0.5,
        "two": 0.5,
    }
    heads = {
        **{name: [H(9, 9)] for name in bases},
        **{"own": TEN, "same": TEN, "one": TEN[:1], "two": TEN[:2]},
    }
    assert set(controls_of("own", bases, heads)) == {"near", "one"}


def test_a_control_shares_few_of_as_many_heads() -> None:
    own, later, first = [H(0, 0), H(0, 1)], [H(0, 2), H(0, 3), H(0, 0)], [H(0, 0), H(0, 2), H(0, 3)]
    heads = {"own": own, "shares a weaker one": later, "shares its strongest": first}
    assert controls_of("own", dict.fromkeys(heads, 0.5), heads) == ["shares a weaker one"]


def test_a_control_may_be_two_tenths_apart() -> None:
    heads = {"own": [H(0, 0)], "above": [H(0, 1)], "below": [H(0, 2)]}
    bases = {"own": 7 / 10, "above": 9 / 10, "below": 5 / 10}  # as floats, .2 and a little more
    assert set(controls_of("own", bases, heads)) == {"above", "below"}


def test_controls_are_five_in_an_order_that_the_seed_gives() -> None:
    names = [f"r{number}" for number in range(12)]
    bases, heads = dict.fromkeys(names, 0.5), {name: [H(0, int(name[1:]))] for name in names}
    first = controls_of("r0", bases, heads)
    assert len(set(first)) == 5
    assert "r0" not in first
    backwards = dict(reversed(bases.items()))
    assert first == controls_of("r0", backwards, heads)
    assert any(first != controls_of("r0", bases, heads, seed) for seed in range(1, 5))


def vocabulary() -> Vocabulary:
    return from_tokenizer(tiny.tokenizer(), tiny.VOCAB, "tiny")


def relation(name: str, ids: Sequence[tuple[int, int]], prompt: str | None = "of <X> is") -> Any:
    return RelationPairs(Relation(name, (("a", "b"),), prompt=prompt), 10, tuple(ids))


def test_a_task_asks_once_for_each_source() -> None:
    known = vocabulary()
    a, b, c = (known.one(f" {letter}") for letter in "abc")
    many = [(a, b), (a, c), (b, c)] * 10
    task = task_of(relation("r", many), known)
    by_text = {known.one(" " + letter): tuple(known.prompt(f"of {letter} is")) for letter in "ab"}
    assert task.prompts == tuple(by_text[source] for source in sorted(by_text))
    assert dict(zip(task.pairs.targets, task.answers, strict=True)) == {a: {b, c}, b: {c}}


def test_a_relation_that_is_not_answered_is_dropped() -> None:
    task = AblationTask(relation("r", [(1, 2)]), ((1,),) * 100)
    assert (
        why_dropped(task, 9, [H(0, 0)]) == "the model answers 9.0% of its prompts, fewer than 10%"
    )
    assert why_dropped(task, 10, []) == "no head scores above 0 on it"
    assert why_dropped(task, 10, [H(0, 0)]) is None


def asked(name: str, model: Model, module: Any, seed: int) -> AblationTask:
    """Prompts that the whole model answers, but for the last."""
    ids = torch.randint(6, 40, (12, 5), generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        said = module(ids).logits[:, -1].argmax(dim=-1).tolist()
    said[-1] += 1
    pairs = relation(name, [(source, target) for source, target in enumerate(said)])
    return AblationTask(pairs, tuple(map(tuple, ids.tolist())))


def test_an_ablation_is_cumulative_and_reads_all_at_one_step() -> None:
    model, module = opened("llama-gqa")
    tasks = {name: asked(name, model, module, at) for at, name in enumerate(("own", "other", "x"))}
    bases = {name: base_correct(model, module, task) for name, task in tasks.items()}
    assert set(bases.values()) == {11}
    own = (H(2, 1), H(0, 3), H(1, 0))
    heads = {"own": own, "other": (H(0, 0),), "x": own}
    found = ablate(model, module, "own", tasks, bases, heads)
    cumulative = [own[:step] for step in range(4)]
    task = tasks["own"]
    again = [count_right(model, module, task.prompts, task.answers, [s])[0] for s in cumulative]
    by_kind = {kind: [row for row in found if row.kind == kind] for kind in (OWN, RANDOM, CONTROL)}
    curve, drawn = by_kind[OWN], by_kind[RANDOM]
    assert [(row.step, row.correct) for row in curve] == list(enumerate(again))
    assert [head for row in curve for head in row.heads] == list(own)
    step = again.index(0) if 0 in again else 3
    assert [len(row.heads) for row in drawn] == [row.step for row in drawn] == [step] * 5
    assert [row.other for row in drawn] == list("01234")
    for row in drawn:
        assert [row.correct] == count_right(model, module, task.prompts, task.answers, [row.heads])
    before, after = by_kind[CONTROL]
    other = tasks["other"]
    without_own = count_right(model, module, other.prompts, other.answers, [own[:step]])
    assert before == (CONTROL, "other", 0, (), 11, 12)
    assert after == (CONTROL, "other", step, own[:step], without_own[0], 12)
    assert {row.prompts for row in found} == {12}
    assert found == ablate(model, module, "own", tasks, bases, heads)


def test_the_table_reads_the_first_step_without_a_right_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, module = opened("llama-gqa")
    task = asked("own", model, module, 0)
    counts = {0: 11, 1: 4, 2: 0, 3: 2}

    def counted(_: Any, __: Any, ___: Any, ____: Any, sets: Sequence[Any], _watched: Any) -> Any:
        return [counts[len(heads)] for heads in sets]

    monkeypatch.setattr("annotator.validate.ablation_curves.count_right", counted)
    own = (H(2, 1), H(0, 3), H(1, 0))
    found = ablate(model, module, "own", {"own": task}, {"own": 11}, {"own": own})
    assert [row.correct for row in found if row.kind == OWN] == [11, 4, 0, 2]
    drawn = [row for row in found if row.kind == RANDOM]
    assert [(row.step, len(row.heads), row.correct) for row in drawn] == [(2, 2, 0)] * 5
