"""Sources of several tokens: which pairs count, and what the heads write after them."""

from __future__ import annotations

import random
from functools import cache

import pytest
import torch
from torch import nn

from annotator.records import Relation, RelationPairs
from annotator.tokens.vocabulary import Vocabulary, from_tokenizer
from annotator.validate.inference import open_inference
from annotator.validate.multi_token import FORMS, LEAST_MULTI_TOKEN, multi_token
from annotator.validate.prompts import ONE_TOKEN, SourcePrompt
from annotator.weights.full_module import module_of
from annotator.weights.model import Model, open_model
from tests import recipes, tiny
from tests.validate.hook_free import shares

ABOUT = "This is a document about"
K = 25
SEVERAL, LEFT_OUT = "target is several tokens", "target is a token that --vocab usable leaves out"


@cache
def run() -> tuple[Model, nn.Module]:
    model = open_model(recipes.built("llama-biases"), dtype="float64")
    return model, module_of(model)


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return from_tokenizer(tiny.tokenizer(), tiny.VOCAB, "tiny")


def made_up(n: int = 12) -> RelationPairs:
    """Words of random letters, some with two targets, some that do not count."""
    choose = random.Random(0)
    words = ["".join(choose.choices("xyzwvu", k=choose.randint(2, 4))) for _ in range(n)]
    targets = ["the", "of", "and", "to", "in", "is"]
    pairs = [(word, choose.choice(targets)) for word in dict.fromkeys(words)]
    pairs += [(word, "a") for word, _ in pairs[:3]]
    pairs += [("the", "of"), ("of", "to"), ("xyz", "zzz"), ("wvu", "<|end|>")]
    return RelationPairs(Relation("made-up", tuple(pairs)), K, ())


def wanted(vocabulary: Vocabulary, form: str) -> list[tuple[SourcePrompt, set[int]]]:
    """By hand: every letter is a token of the tiny tokenizer, and so is the space before it."""
    by_word: dict[str, set[int]] = {}
    for source, target in made_up().relation.pairs:
        if target not in ("zzz", "<|end|>") and not (form == "natural" and source in ("the", "of")):
            by_word.setdefault(source, set()).add(vocabulary.encode(" " + target)[0])
    found: list[tuple[SourcePrompt, set[int]]] = []
    for word, targets in by_word.items():
        ids = vocabulary.encode(f"{ABOUT} {word}")
        if form == "paper":
            ids = [*vocabulary.encode(f"{ABOUT} "), *vocabulary.encode(word)]
        found.append((SourcePrompt(tuple(ids), 0, len(ids) - 1), targets))
    return found


@pytest.mark.parametrize("form", FORMS)
def test_scores_and_counts_equal_those_by_hand(vocabulary: Vocabulary, form: str) -> None:
    model, module = run()
    inference = open_inference(model, module)
    (found,) = multi_token(inference, vocabulary, [made_up()], form)
    by_hand = wanted(vocabulary, form)
    assert (found.relation, found.form, found.reason) == ("made-up", form, None)
    assert found.pairs == sum(len(targets) for _, targets in by_hand)
    several = {"natural": {ONE_TOKEN: 2}, "paper": {}}[form]
    assert found.dropped == {SEVERAL: 2, **several}
    assert found.dynamic is not None
    assert found.dynamic.prompts == (len(by_hand),)
    expected = shares(module, model.W_U(), *zip(*by_hand, strict=True), K)  # pyright: ignore
    without, with_context = found.dynamic.without[0], found.dynamic.with_context[0]
    torch.testing.assert_close(without, expected[0], rtol=0, atol=1e-12)
    torch.testing.assert_close(with_context, expected[1], rtol=0, atol=1e-12)
    assert 0 < without.mean() < 1


def test_the_two_forms_are_told_apart(vocabulary: Vocabulary) -> None:
    model, module = run()
    inference = open_inference(model, module)
    natural, paper = (
        next(multi_token(inference, vocabulary, [made_up()], form)).dynamic for form in FORMS
    )
    assert natural is not None
    assert paper is not None
    assert not torch.equal(natural.without, paper.without)
    one_before = [
        (SourcePrompt(p.ids, 0, p.source - 1), t) for p, t in wanted(vocabulary, "natural")
    ]
    other = shares(module, model.W_U(), *zip(*one_before, strict=True), K)  # pyright: ignore
    assert not torch.equal(natural.without[0], other[0])


def test_too_few_pairs_are_named(vocabulary: Vocabulary) -> None:
    inference = open_inference(*run())
    few = tuple((word, "the") for word in ("xy", "xz", "yz", "zx", "zy", "zz", "xx", "yy", "yx"))
    enough = (*few, ("wu", "of"))
    relations = [
        RelationPairs(Relation("few", few), K, ()),
        RelationPairs(Relation("enough", enough), K, ()),
        RelationPairs(Relation("none", (("the", "xyz"),)), K, ()),
    ]
    found = list(multi_token(inference, vocabulary, relations, "natural"))
    assert [one.relation for one in found] == ["few", "enough", "none"]
    assert [one.pairs for one in found] == [9, LEAST_MULTI_TOKEN, 0]
    assert [one.dynamic is None for one in found] == [True, False, True]
    assert found[0].reason == "9 pairs with a source of several tokens; 10 are needed"
    assert found[1].reason is None


def test_a_target_that_does_not_count_is_left_out(vocabulary: Vocabulary) -> None:
    model, module = run()
    the = vocabulary.one(" the")
    usable = [id for id in vocabulary.usable() if id != the]
    inference = open_inference(model, module, usable)
    (found,) = multi_token(inference, vocabulary, [made_up(30)], "natural", usable)
    out = sum(target == "the" for _, target in made_up(30).relation.pairs)
    assert out > 0
    assert (found.dropped[SEVERAL], found.dropped[LEFT_OUT]) == (2, out)
    assert found.dynamic is not None
