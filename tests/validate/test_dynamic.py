"""Dynamic scores equal a computation without hooks, and what is nearly it does not pass."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from annotator.errors import SettingInvalid
from annotator.records import Relation, RelationPairs
from annotator.tokens.load import load_vocabulary
from annotator.validate import batches
from annotator.validate import dynamic_scores as dynamic
from annotator.validate.correlate import question_of
from annotator.validate.dynamic_scores import Case, Dynamic, Question, dynamic_scores
from annotator.validate.inference import Inference, may_share, open_inference, run_prompts
from annotator.validate.prompts import TEMPLATES, SourcePrompt
from annotator.weights.full_module import module_of
from annotator.weights.model import Model, open_model
from tests import recipes
from tests.validate.hook_free import Wrong, shares

FAMILIES = (
    *("llama-biases", "gpt2-tied", "neox-parallel", "gemma2-biases", "olmo2-biases"),
    *("bloom", "opt", "gpt_oss-gqa", "llama-gqa"),
)
K = 10


@cache
def run(name: str) -> tuple[Model, nn.Module]:
    model = open_model(recipes.built(name), dtype="float64")
    return model, module_of(model)


def opened(name: str, usable: Sequence[int] | None = None) -> Inference:
    return open_inference(*run(name), usable)


def made_up(vocab: int, seed: int = 0) -> list[list[Case]]:
    """Two templates of unequal length; the second's sources have several tokens, or targets."""
    choose = random.Random(seed)

    def draw(n: int) -> list[int]:
        return [choose.randrange(vocab) for _ in range(n)]

    before, after, longer = draw(2), draw(2), draw(3)
    short = [SourcePrompt((*before, source, *after), 2, 2) for source in draw(9)]
    long = [SourcePrompt((*longer, *draw(2), *after), 3, 4) for _ in range(7)]
    return [
        [Case(prompt, frozenset(draw(12))) for prompt in dict.fromkeys(short)],
        [Case(prompt, frozenset(draw(4))) for prompt in long],
    ]


def expected(
    inference: Inference, cases: Sequence[Sequence[Case]], k: int = K, **how: Any
) -> list[torch.Tensor]:
    return [
        shares(
            inference.module,
            inference.model.W_U(),
            [case.prompt for case in own],
            [set(case.targets) for case in own],
            k,
            **how,
        )
        for own in cases
    ]


def assert_same(found: Dynamic, wanted: Sequence[torch.Tensor]) -> None:
    for template, (without, with_context) in enumerate(wanted):
        torch.testing.assert_close(found.without[template], without, rtol=0, atol=1e-12)
        torch.testing.assert_close(found.with_context[template], with_context, rtol=0, atol=1e-12)


@pytest.mark.parametrize("family", FAMILIES)
def test_scores_equal_a_computation_without_hooks(family: str) -> None:
    inference = opened(family)
    cases = made_up(inference.model.dims.vocab)
    (found,) = dynamic_scores(inference, [Question("made-up", K, cases, {"why": 2})])
    assert_same(found, expected(inference, cases))
    assert (found.relation, found.k, found.dropped) == ("made-up", K, {"why": 2})
    assert found.prompts == tuple(map(len, cases))
    for part in (found.without, found.with_context):
        assert 0 < part.mean() < 1, "a score that is the same everywhere shows nothing"


WRONG = {
    "the source one earlier": Wrong(source=-1),
    "the source one later": Wrong(source=1),
    "another head's output": Wrong(head=1),
    "value heads interleaved": Wrong(interleaved=True),
    "no value bias": Wrong(value_bias=False),
    "the output bias too": Wrong(output_bias=True),
    "the final norm too": Wrong(normed=True),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_nearly_the_definition_is_told_apart(wrong: str) -> None:
    inference = opened("llama-biases")
    cases = made_up(inference.model.dims.vocab)
    (found,) = dynamic_scores(inference, [Question("made-up", K, cases)])
    with pytest.raises(AssertionError):
        assert_same(found, expected(inference, cases, wrong=WRONG[wrong]))


def test_only_usable_tokens_compete() -> None:
    usable = list(range(0, 320, 2))
    inference = opened("llama-biases", list(reversed(usable)))
    cases = [
        [replace(case, targets=frozenset(t // 2 * 2 for t in case.targets)) for case in own]
        for own in made_up(320)
    ]
    (found,) = dynamic_scores(inference, [Question("even", K, cases)])
    assert_same(found, expected(inference, cases, usable=usable))
    with pytest.raises(AssertionError):
        assert_same(found, expected(inference, cases))


def test_a_target_that_does_not_count_is_refused() -> None:
    inference = opened("llama-gqa", range(0, 320, 2))
    case = Case(SourcePrompt((1, 2, 3), 1, 1), frozenset({4, 7, 319}))
    with pytest.raises(SettingInvalid, match=r"\[7, 319\]"):
        list(dynamic_scores(inference, [Question("odd", K, [[case]])]))


@pytest.mark.parametrize("limit", [1, 20_000, 10**9])
def test_memory_changes_nothing_but_the_rounds(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relations that share prompts, with other targets and another k, in any number of rounds."""
    inference = opened("llama-gqa")
    one, other = made_up(320, 1), made_up(320, 2)
    shared = [[*one[0][:4], *other[0]], [replace(c, targets=frozenset({5})) for c in one[1]]]
    questions = [Question("one", 10, one), Question("few", 1, shared), Question("none", 3, [[]])]
    monkeypatch.setattr(batches, "CPU_MEMORY", limit)
    rounds: list[int] = []
    ranked = dynamic.dynamic_ranks

    def counted(inference: Inference, prompts: Sequence[SourcePrompt], *given: Any) -> Any:
        rounds.append(len(prompts))
        return ranked(inference, prompts, *given)

    monkeypatch.setattr(dynamic, "dynamic_ranks", counted)
    found = list(dynamic_scores(inference, questions))
    assert [each.relation for each in found] == ["one", "few", "none"]
    assert_same(found[0], expected(inference, one, 10))
    assert_same(found[1], expected(inference, shared, 1))
    assert found[2].prompts == (0,)
    assert found[2].without.isnan().all()
    distinct = {case.prompt for part in (one, shared) for own in part for case in own}
    assert sum(rounds) == len(distinct), "a prompt is run once"
    assert (len(rounds) > 1) == (limit < 10**9)


def test_a_relation_is_there_as_soon_as_its_last_prompt_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batches, "CPU_MEMORY", 1)
    inference = opened("llama-gqa")
    questions = [Question("one", 10, made_up(320, 1)), Question("two", 10, made_up(320, 2))]
    first = next(dynamic_scores(inference, questions))
    monkeypatch.setattr(dynamic, "dynamic_ranks", None)
    assert_same(first, expected(inference, questions[0].cases))


@pytest.mark.parametrize("recipe", recipes.RECIPES)
def test_what_prompts_have_in_common_goes_through_once_where_a_cache_holds_it(
    recipe: str,
) -> None:
    module = recipes.built(recipe)
    inference = open_inference(open_model(module, dtype="float64"), module)
    vocab = inference.model.dims.vocab
    prompts = [case.prompt for case in made_up(vocab)[1]]
    alone = run_prompts(inference, [replace(prompt, first=0) for prompt in prompts])
    looks_back = recipe == "gemma3_text-both-ways"  # what comes later changes what came before
    assert may_share(inference, prompts[0]) != looks_back
    if not looks_back:
        together = run_prompts(inference, prompts)
        for one, other in zip(together, alone, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


def test_a_model_that_attends_both_ways_is_run_without_a_cache() -> None:
    inference = opened("gemma3_text-both-ways")
    cases = made_up(inference.model.dims.vocab)
    whole = [[replace(c, prompt=replace(c.prompt, first=0)) for c in own] for own in cases]
    (found,) = dynamic_scores(inference, [Question("made-up", K, cases)])
    (alone,) = dynamic_scores(inference, [Question("made-up", K, whole)])
    assert torch.equal(found.without, alone.without)
    assert torch.equal(found.with_context, alone.with_context)
    assert found.prompts == alone.prompts


def test_nothing_stays_hooked_or_changed() -> None:
    inference = opened("gpt2-tied")
    module = inference.module
    before = {name: value.clone() for name, value in module.state_dict().items()}
    list(dynamic_scores(inference, [Question("made-up", K, made_up(320))]))
    assert not [part for part in module.modules() if part._forward_pre_hooks]
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())


def test_passes_are_of_one_length_and_one_beginning() -> None:
    inference = opened("llama-gqa")
    prompts = [case.prompt for own in made_up(320) for case in own]
    prompts += [
        SourcePrompt((7, *prompt.ids[1:]), prompt.first, prompt.source) for prompt in prompts
    ]
    dims, dtype = inference.model.dims, torch.float32
    for limit in (1, 3 * batches.prompt_bytes(dims, 5, dtype), 10**9):
        found = batches.batches(prompts, dims, dtype, limit)
        assert sorted(at for batch in found for at in batch) == list(range(len(prompts)))
        for batch in found:
            kinds = {(len(prompts[at].ids), prompts[at].ids[: prompts[at].first]) for at in batch}
            assert len(kinds) == 1
            used = sum(batches.prompt_bytes(dims, len(prompts[at].ids), dtype) for at in batch)
            assert len(batch) == 1 or used <= limit
    assert len(batches.batches(prompts, dims, dtype, 10**9)) == 4


CAPITALS = (("France", "Paris"), ("Japan", "Tokyo"))
LAYERS = (0, 23)


def test_the_real_model_equals_transformers(real_gguf: Path) -> None:
    model = open_model(real_gguf)
    vocabulary = load_vocabulary(model.source, model.dims.vocab)
    inference = open_inference(model, module_of(model))
    ids = tuple((vocabulary.one(" " + s), vocabulary.one(" " + t)) for s, t in CAPITALS)
    pairs = RelationPairs(Relation("capitals", CAPITALS), 10, ids)
    question = question_of(vocabulary, pairs)
    (found,) = dynamic_scores(inference, [question_of(vocabulary, pairs)])
    assert (found.prompts, found.dropped) == ((2, 2, 2, 2), {})
    wanted = expected(inference, [question.cases[3]], layers=LAYERS)[0]
    for part, reached in zip((found.without, found.with_context), wanted, strict=True):
        torch.testing.assert_close(part[3][list(LAYERS)], reached, rtol=0, atol=0)
    assert len(TEMPLATES) == len(found.without)
    assert found.with_context[:, 23].mean(dim=0).argmax() == 4, "L23H4 is the head of capitals"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("recipe", ["llama-gqa", "gpt2-tied", "neox-parallel", "gemma2-biases"])
def test_cuda_scores_as_the_cpu_does(recipe: str) -> None:
    def on(device: str) -> Dynamic:
        model = open_model(recipes.built(recipe), dtype="float64", device=device)
        inference = open_inference(model, module_of(model))
        cases = made_up(model.dims.vocab)
        return next(dynamic_scores(inference, [Question("made-up", K, cases)]))

    cpu, cuda = on("cpu"), on("cuda")
    assert torch.equal(cpu.without, cuda.without)
    assert torch.equal(cpu.with_context, cuda.with_context)
