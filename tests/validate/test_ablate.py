"""Silenced heads against a whole pass with that head's rows of W_O taken out at the last position.

The oracle knows nothing of caches, masks or prefixes: it runs the whole prompt, and takes from what
the output projection writes at the last position what the silent heads contribute, by the weights
that transformers holds.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from annotator.errors import NotRun
from annotator.records import HeadId, Relation, RelationPairs, RelationScore
from annotator.tokens.vocabulary import Vocabulary, from_tokenizer
from annotator.validate import silence
from annotator.validate.ablate import (
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
from annotator.validate.silence import as_mask, count_right, last_logits, run_past
from annotator.weights.dims import Dims
from annotator.weights.model import Model, open_model
from annotator.weights.module import module_of
from tests import tiny
from tests.recipes import built

H = HeadId
NO_HEAD: tuple[HeadId, ...] = ()
SETS = (NO_HEAD, (H(0, 1),), (H(0, 1), H(1, 2)), (H(0, 2), H(1, 0), H(1, 3)))

Linear = Callable[[Any], Sequence[Any]]
FAMILIES: dict[str, tuple[Linear, str]] = {
    "llama-gqa": (lambda m: [b.self_attn.o_proj for b in m.model.layers], "out_in"),
    "llama-biases": (lambda m: [b.self_attn.o_proj for b in m.model.layers], "out_in"),
    "gpt2-tied": (lambda m: [b.attn.c_proj for b in m.transformer.h], "in_out"),
    "neox-parallel": (lambda m: [b.attention.dense for b in m.gpt_neox.layers], "out_in"),
    "gemma2-gqa": (lambda m: [b.self_attn.o_proj for b in m.model.layers], "out_in"),
    "gemma3_text-window": (lambda m: [b.self_attn.o_proj for b in m.model.layers], "out_in"),
    "bloom": (lambda m: [b.self_attention.dense for b in m.transformer.h], "out_in"),
    "falcon-alibi": (lambda m: [b.self_attention.dense for b in m.transformer.h], "out_in"),
    "opt": (lambda m: [b.self_attn.out_proj for b in m.model.decoder.layers], "out_in"),
    "gptj": (lambda m: [b.attn.out_proj for b in m.transformer.h], "out_in"),
    "mpt": (lambda m: [b.attn.out_proj for b in m.transformer.blocks], "out_in"),
    "gpt_oss-gqa": (lambda m: [b.self_attn.o_proj for b in m.model.layers], "out_in"),
    "mixtral-gqa": (lambda m: [b.self_attn.o_proj for b in m.model.layers], "out_in"),
    "llama4_text-temperature": (lambda m: [b.self_attn.o_proj for b in m.model.layers], "out_in"),
}


@contextmanager
def without(
    linears: Sequence[Any], stored: str, heads: Collection[HeadId], d_head: int, at: int = -1
) -> Iterator[None]:
    """What the heads write at a position is subtracted from what their projection writes."""

    def subtracting(layer: int) -> Callable[..., Tensor]:
        def hook(linear: Any, args: Any, out: Tensor) -> Tensor:
            out = out.clone()
            for head in (head for head in heads if head.layer == layer):
                rows = slice(head.head * d_head, (head.head + 1) * d_head)
                weight = linear.weight if stored == "in_out" else linear.weight.T
                out[:, at] -= args[0][:, at, rows] @ weight[rows]
            return out

        return hook

    hooks = [one.register_forward_hook(subtracting(layer)) for layer, one in enumerate(linears)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


@cache
def opened(recipe: str) -> tuple[Model, Any]:
    model = open_model(built(recipe), dtype="float64")
    return model, module_of(model)


def expected(recipe: str, model: Model, module: Any, ids: Tensor, at: int = -1) -> Tensor:
    """[prompts, sets, vocab] of whole passes."""
    linears, stored = FAMILIES[recipe][0](module), FAMILIES[recipe][1]
    said: list[Tensor] = []
    for heads in SETS:
        with torch.no_grad(), without(linears, stored, heads, model.dims.d_head, at):
            said.append(module(ids).logits[:, -1])
    return torch.stack(said, dim=1)


def prompts(shared: int, length: int = 6, count: int = 3) -> Tensor:
    """Prompts that begin alike."""
    ids = torch.randint(6, 40, (count, length), generator=torch.Generator().manual_seed(length))
    ids[:, :shared] = ids[0, :shared]
    return ids


@pytest.mark.parametrize("shared", [0, 2, 5])
@pytest.mark.parametrize("recipe", FAMILIES)
def test_logits_are_those_of_a_whole_pass_without_the_heads(recipe: str, shared: int) -> None:
    model, module = opened(recipe)
    ids = prompts(shared)
    ours = last_logits(model, module, run_past(module, ids), as_mask(model.dims, SETS))
    right = expected(recipe, model, module, ids)
    scale = float(right.abs().max())
    torch.testing.assert_close(ours / scale, right / scale, rtol=0, atol=1e-6)
    torch.testing.assert_close(ours[:, 0], module(ids).logits[:, -1], rtol=1e-6, atol=1e-6 * scale)


@pytest.mark.parametrize("recipe", ["llama-gqa", "gpt2-tied", "bloom"])
def test_a_neighbour_head_or_position_is_another_model(recipe: str) -> None:
    model, module = opened(recipe)
    ids = prompts(shared=2)
    past = run_past(module, ids)
    right = expected(recipe, model, module, ids)
    neighbours = [tuple(H(one.layer, (one.head + 1) % 4) for one in heads) for heads in SETS]
    wrong = last_logits(model, module, past, as_mask(model.dims, neighbours))
    earlier = expected(recipe, model, module, ids, at=-2)
    for other in (wrong, earlier):
        assert (other[:, 1:] - right[:, 1:]).abs().amax(dim=(0, 2)).min() > 1e-3
        torch.testing.assert_close(other[:, 0], right[:, 0])


def test_what_is_kept_serves_every_set_unchanged() -> None:
    model, module = opened("gemma2-gqa")
    past = run_past(module, prompts(shared=2))
    mask = as_mask(model.dims, SETS)
    first = last_logits(model, module, past, mask)
    one_by_one = [last_logits(model, module, past, mask[at : at + 1]) for at in range(len(SETS))]
    torch.testing.assert_close(torch.cat(one_by_one, dim=1), first)
    torch.testing.assert_close(last_logits(model, module, past, mask), first, rtol=0, atol=0)


def test_a_prompt_of_one_token_has_no_past() -> None:
    model, module = opened("llama-gqa")
    ids = prompts(shared=0, length=1)
    past = run_past(module, ids)
    assert past.kept is None
    ours = last_logits(model, module, past, as_mask(model.dims, SETS))
    torch.testing.assert_close(ours, expected("llama-gqa", model, module, ids))


def test_a_model_whose_positions_are_not_causal_is_refused() -> None:
    model, module = opened("gemma3_text-both-ways")
    ids = prompts(shared=0).tolist()
    with pytest.raises(NotRun, match="earlier positions depend on later ones"):
        count_right(model, module, ids, [frozenset({1})] * 3, [()])


@pytest.mark.parametrize("limit", [1, 100_000, 1 << 30])
def test_counts_are_of_whole_passes_whatever_fits(
    limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(silence, "memory", lambda device: limit)
    model, module = opened("llama-gqa")
    asked = [*prompts(2, 6, 9).tolist(), *prompts(1, 4, 5).tolist(), *prompts(0, 1, 2).tolist()]
    right = [
        [
            expected("llama-gqa", model, module, torch.tensor([ids]))[0, at].argmax().item()
            for ids in asked
        ]
        for at in range(len(SETS))
    ]
    answers = [frozenset({right[at % 4][at], 3}) for at in range(len(asked))]
    wanted = [sum(token in a for token, a in zip(said, answers, strict=True)) for said in right]
    assert count_right(model, module, asked, answers, SETS) == wanted
    assert len(set(wanted)) > 1


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
    assert found.correct == tuple(again)
    assert found.step == (again.index(0) if 0 in again else 3)
    assert (found.heads, found.prompts) == (own, 12)
    assert [len(draw.heads) for draw in found.random] == [found.step] * 5
    for draw in found.random:
        assert [draw.correct] == count_right(
            model, module, task.prompts, task.answers, [draw.heads]
        )
    (control,) = found.controls
    other = tasks["other"]
    without_own = count_right(model, module, other.prompts, other.answers, [own[: found.step]])
    assert (control.relation, control.prompts, control.base) == ("other", 12, 11)
    assert [control.correct] == without_own
    assert found == ablate(model, module, "own", tasks, bases, heads)


def test_the_table_reads_the_first_step_without_a_right_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, module = opened("llama-gqa")
    task = asked("own", model, module, 0)
    counts = {0: 11, 1: 4, 2: 0, 3: 2}

    def counted(_: Any, __: Any, ___: Any, ____: Any, sets: Sequence[Any], _watched: Any) -> Any:
        return [counts[len(heads)] for heads in sets]

    monkeypatch.setattr("annotator.validate.ablate.count_right", counted)
    own = (H(2, 1), H(0, 3), H(1, 0))
    found = ablate(model, module, "own", {"own": task}, {"own": 11}, {"own": own})
    assert (found.correct, found.step) == ((11, 4, 0, 2), 2)
    assert [len(draw.heads) for draw in found.random] == [2] * 5
    assert [draw.correct for draw in found.random] == [0] * 5
