"""Prompts are the model's own tokens, and the source stands where it is said to stand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, processors

from annotator.records import Relation, RelationPairs
from annotator.tokens.load import load_vocabulary
from annotator.tokens.vocabulary import Vocabulary, from_tokenizer
from annotator.validate.correlate import question_of
from annotator.validate.prompts import (
    CHANGED,
    CUT_OTHERWISE,
    ONE_TOKEN,
    TEMPLATES,
    SourcePrompt,
    natural_prompt,
    prompt_of,
    published_prompt,
)
from annotator.weights.gguf import GgufFile
from tests import tiny

ABOUT = TEMPLATES[2]


@pytest.fixture(scope="module")
def real(real_gguf: Path) -> Vocabulary:
    return load_vocabulary(GgufFile(real_gguf), 49152)


@pytest.fixture(scope="module")
def words(real: Vocabulary) -> list[int]:
    """Every token that is a space and a word."""
    texts = ((id, real.text(id) or "") for id in real.usable())
    return [id for id, text in texts if text[:1] == " " and text[1:].isalpha()]


def test_the_four_templates_are_the_papers() -> None:
    assert [template.replace("<X>", "France") for template in TEMPLATES] == [
        "No France means no",
        "The story of France contains",
        "This is a document about France",
        "When I think about France I think about",
    ]


@given(data=st.data())
def test_the_source_is_in_its_place(
    real: Vocabulary, words: list[int], data: st.DataObject
) -> None:
    source = data.draw(st.sampled_from(words))
    template = data.draw(st.sampled_from(TEMPLATES))
    prompt = prompt_of(real, template, [source])
    assert isinstance(prompt, SourcePrompt)
    before, after = template.split(" <X>")
    assert "".join(real.text(id) or "" for id in prompt.ids[: prompt.source]) == before
    assert "".join(real.text(id) or "" for id in prompt.ids[prompt.source + 1 :]) == after
    assert prompt.ids[prompt.source] == source
    assert prompt.first == prompt.source
    assert list(prompt.ids) == real.prompt(before + (real.text(source) or "") + after)


def sentencepiece(*merges: tuple[str, str], begins: bool = True) -> Tokenizer:
    """A space is prepended to a text, and tokens may span words."""
    letters = dict.fromkeys("▁NTWinothesaryfkbucdmIqFé" + "".join(m for one in merges for m in one))
    pieces = ["<unk>", "<s>", "</s>", *letters, *("".join(merge) for merge in merges)]
    ids = {piece: id for id, piece in enumerate(dict.fromkeys(pieces))}
    made = Tokenizer(models.BPE(ids, list(merges), unk_token="<unk>"))
    made.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    made.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback()])
    made.add_tokens(
        [AddedToken(t, special=True, normalized=False) for t in ("<unk>", "<s>", "</s>")]
    )
    if begins:
        made.post_processor = processors.TemplateProcessing(
            single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
        )
    return made


def made(tokenizer: Tokenizer) -> Vocabulary:
    return from_tokenizer(tokenizer, tokenizer.get_vocab_size(), "made")


@pytest.mark.parametrize("begins", [True, False])
def test_special_tokens_and_a_prepended_space_move_the_source(begins: bool) -> None:
    vocabulary = made(sentencepiece(("▁", "F"), begins=begins))
    source = vocabulary.one(" F")
    for template in TEMPLATES:
        prompt = prompt_of(vocabulary, template, [source])
        assert isinstance(prompt, SourcePrompt)
        before = template.split(" <X>")[0]
        assert prompt.ids[prompt.source] == source
        assert prompt.source == begins + 1 + len(before), "each letter is a token"
        assert (prompt.ids[0] == 1, prompt.ids[-1] == 2) == (begins, begins)


def test_a_source_that_merges_with_what_comes_after_does_not_count() -> None:
    vocabulary = made(sentencepiece(("▁", "F"), ("▁F", "▁")))
    source = vocabulary.one(" F")
    found = [prompt_of(vocabulary, template, [source]) for template in TEMPLATES]
    assert [one for one in found if isinstance(one, str)] == [CUT_OTHERWISE] * 3
    assert isinstance(found[2], SourcePrompt), "nothing comes after it"
    pairs = RelationPairs(Relation("r", (("F", "N"),)), 10, ((source, 3),))
    question = question_of(vocabulary, pairs)
    assert [len(cases) for cases in question.cases] == [0, 0, 1, 0]
    assert question.dropped == {CUT_OTHERWISE: 3}


def test_a_source_that_merges_with_what_comes_before_does_not_count() -> None:
    vocabulary = made(sentencepiece(("▁", "F"), ("o", "▁F")))
    assert prompt_of(vocabulary, TEMPLATES[0], [vocabulary.one(" F")]) == CUT_OTHERWISE
    assert isinstance(prompt_of(vocabulary, ABOUT, [vocabulary.one(" F")]), SourcePrompt)


def test_a_text_that_a_tokenizer_changes_does_not_count() -> None:
    tokenizer = sentencepiece(("▁", "F"))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Lowercase(), normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    vocabulary = made(tokenizer)
    (source,) = (id for id, piece in enumerate(vocabulary.pieces) if piece == b" F")
    assert prompt_of(vocabulary, ABOUT, [source]) == CHANGED
    assert natural_prompt(vocabulary, ABOUT, "FF") == CHANGED


def test_a_byte_that_is_no_character_does_not_count() -> None:
    vocabulary = from_tokenizer(tiny.tokenizer(), tiny.VOCAB, "tiny")
    (byte,) = (id for id, piece in enumerate(vocabulary.pieces) if piece == b"\xe2")
    assert prompt_of(vocabulary, ABOUT, [byte]) == CHANGED


def test_a_token_that_the_embedding_lacks_does_not_count() -> None:
    tokenizer = tiny.tokenizer()
    own = tokenizer.get_vocab_size()
    tokenizer.add_tokens([AddedToken("zebra", special=False)])
    vocabulary = from_tokenizer(tokenizer, own, "tiny")
    for form in (natural_prompt, published_prompt):
        assert form(vocabulary, ABOUT, "a zebra") == CHANGED
        assert isinstance(form(vocabulary, ABOUT, "a horse"), SourcePrompt)


def test_a_word_of_several_tokens_in_both_forms(real: Vocabulary) -> None:
    natural = natural_prompt(real, ABOUT, "Liechtenstein")
    assert isinstance(natural, SourcePrompt)
    assert list(natural.ids) == real.encode("This is a document about Liechtenstein")
    assert natural.source == len(natural.ids) - 1
    own = real.encode(" Liechtenstein")
    assert len(own) > 1
    assert list(natural.ids[natural.first :]) == own
    published = published_prompt(real, ABOUT, "Liechtenstein")
    assert isinstance(published, SourcePrompt)
    without = real.encode("Liechtenstein")
    assert without != own
    assert list(published.ids) == [*real.encode("This is a document about "), *without]
    assert real.text(published.ids[published.first - 1]) == " "
    assert published.source == len(published.ids) - 1
    assert published.first == len(published.ids) - len(without)


def test_a_word_counts_in_the_form_in_which_it_is_several_tokens(real: Vocabulary) -> None:
    assert len(real.encode(" Finland")) == 1 < len(real.encode("Finland"))
    assert natural_prompt(real, ABOUT, "Finland") == ONE_TOKEN
    assert isinstance(published_prompt(real, ABOUT, "Finland"), SourcePrompt)
    assert published_prompt(real, ABOUT, "the") == ONE_TOKEN


@pytest.mark.parametrize("form", [natural_prompt, published_prompt])
def test_a_word_stands_before_the_end_token(form: Callable[..., SourcePrompt | str]) -> None:
    vocabulary = made(sentencepiece(("▁", "F")))
    prompt = form(vocabulary, ABOUT, "Fin")
    assert isinstance(prompt, SourcePrompt)
    assert (prompt.ids[0], prompt.ids[-1]) == (1, 2)
    assert prompt.source == len(prompt.ids) - 2
    last = b"".join(vocabulary.pieces[id] or b"" for id in prompt.ids[prompt.first : -1])
    assert last == (b" Fin" if form is natural_prompt else b"Fin")


@given(word=st.text(st.characters(codec="utf-8"), min_size=1, max_size=12))
def test_any_word_is_spelt_by_its_prompt_or_does_not_count(real: Vocabulary, word: str) -> None:
    natural = natural_prompt(real, ABOUT, word)
    if isinstance(natural, SourcePrompt):
        spelt = b"".join(real.pieces[id] or b"" for id in natural.ids)
        assert spelt == f"This is a document about {word}".encode()
        own = b"".join(real.pieces[id] or b"" for id in natural.ids[natural.first :])
        assert own == f" {word}".encode()
    published = published_prompt(real, ABOUT, word)
    if isinstance(published, SourcePrompt):
        own = b"".join(real.pieces[id] or b"" for id in published.ids[published.first :])
        assert own == word.encode()
