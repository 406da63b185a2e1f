"""The prompts in which heads are watched, and where in them the source stands.

A prompt is tokenised as the model's own tokenizer does it, its special tokens included. It counts
only where its tokens are its text, byte for byte, and the source is cut out as expected: what a
tokenizer changes or merges would be another source.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from annotator.tokens.vocabulary import Vocabulary

SPACED_SOURCE = " <X>"
"""What stands for the source in a template: with its leading space."""

TEMPLATES = (
    "No <X> means no",
    "The story of <X> contains",
    "This is a document about <X>",
    "When I think about <X> I think about",
)
"""Of the dynamic score (Elhelo & Geva 2024, section 4.2; docs/definitions.md, "Templates")."""

OF_SEVERAL_TOKENS = TEMPLATES[2]
"""The one for sources of several tokens, which ends with the source."""

CHANGED = "prompt is changed by the tokenizer"
CUT_OTHERWISE = "source is cut otherwise in the prompt"
ONE_TOKEN = "source is one token"


@dataclass(frozen=True, slots=True)
class SourcePrompt:
    """A tokenised prompt.

    Attributes:
        ids: its tokens.
        first: the position of the source's first token; what comes before is the template's.
        source: the position of the source's last token.
    """

    ids: tuple[int, ...]
    first: int
    source: int


def prompt_of(vocabulary: Vocabulary, template: str, source: Sequence[int]) -> SourcePrompt | str:
    """A template with a source in it.

    Args:
        vocabulary: of the model.
        template: a text with one `SPACED_SOURCE` in it, not at the beginning.
        source: the source's tokens, the first with the leading space.

    Returns:
        The prompt, or the reason why the source does not count in it.
    """
    written = b"".join(vocabulary.pieces[id] or b"" for id in source)
    try:
        text = template.replace(SPACED_SOURCE, written.decode())
    except UnicodeDecodeError:
        return CHANGED
    ids = vocabulary.prompt(text)
    begins = _boundaries(vocabulary, ids, text)
    if begins is None:
        return CHANGED
    first = begins.get(len(template.partition(SPACED_SOURCE)[0].encode()))
    if first is None or ids[first : first + len(source)] != list(source):
        return CUT_OTHERWISE
    return SourcePrompt(tuple(ids), first, first + len(source) - 1)


def natural_prompt(vocabulary: Vocabulary, template: str, source: str) -> SourcePrompt | str:
    """A word of several tokens in a template, tokenised as it is in the sentence.

    Args:
        vocabulary: of the model.
        template: see `prompt_of`.
        source: the word, without a leading space.

    Returns:
        The prompt, or the reason why the word does not count.
    """
    tokens = vocabulary.encode(" " + source)
    if len(tokens) == 1:
        return ONE_TOKEN
    if _joined(vocabulary, tokens) != f" {source}".encode():
        return CHANGED
    return prompt_of(vocabulary, template, tokens)


def published_prompt(vocabulary: Vocabulary, template: str, source: str) -> SourcePrompt | str:
    """A word of several tokens after the template's trailing space, as the paper tokenised it.

    The template is tokenised with the space before the source as a token at its end; the word
    follows, tokenised without a leading space. No text is tokenised so.

    Args:
        vocabulary: of the model.
        template: a text that ends with `SPACED_SOURCE`.
        source: the word, without a leading space.

    Returns:
        The prompt, or the reason why the word does not count.
    """
    tokens = vocabulary.encode(source)
    if len(tokens) == 1:
        return ONE_TOKEN
    text = template.removesuffix(SPACED_SOURCE) + " "
    ids = vocabulary.prompt(text)
    if _boundaries(vocabulary, ids, text) is None or _joined(vocabulary, tokens) != source.encode():
        return CHANGED
    end = max(at for at, id in enumerate(ids) if id not in vocabulary.special) + 1
    whole = [*ids[:end], *tokens, *ids[end:]]
    return SourcePrompt(tuple(whole), end, end + len(tokens) - 1)


def _boundaries(vocabulary: Vocabulary, ids: Sequence[int], text: str) -> dict[int, int] | None:
    """The position of the token that begins at each byte of a text, which ids must spell.

    Special tokens at the ends, which a tokenizer adds, spell nothing; neither does the space that
    some put before a whole text.
    """
    wanted = text.encode()
    spelt = _joined(vocabulary, ids)
    if spelt not in (wanted, b" " + wanted):
        return None
    at = len(wanted) - len(spelt)
    begins: dict[int, int] = {}
    for position, id in enumerate(ids):
        if id not in vocabulary.special:
            begins.setdefault(at, position)
            at += len(vocabulary.pieces[id] or b"")
    return begins


def _joined(vocabulary: Vocabulary, ids: Sequence[int]) -> bytes | None:
    """What ids spell, special ones apart; None where the model has no such token."""
    if any(id >= len(vocabulary) for id in ids):
        return None
    return b"".join(vocabulary.pieces[id] or b"" for id in ids if id not in vocabulary.special)
