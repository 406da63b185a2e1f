"""Which pairs of a relation count for a model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from annotator.errors import SettingInvalid, TokenInvalid
from annotator.records import Relation, RelationPairs
from annotator.tokens.vocabulary import Vocabulary

LARGE_VOCABULARY = 100_000
"""From so many rows on a target counts further from the top."""
_K_OF_LARGE = {10: 25, 1: 3}


def pairs_of(
    relation: Relation, vocabulary: Vocabulary, vocab_rows: int, usable: Collection[int] | None
) -> RelationPairs:
    """The pairs of which both sides, with a leading space, are one token that is not special.

    Args:
        relation: words.
        vocabulary: of the model.
        vocab_rows: rows of its embedding; where there are many, k is larger
            (docs/definitions.md, "k").
        usable: token ids that count; None: every one that is not special.

    Returns:
        The pairs in the relation's order, and how many of the others do not count, by reason: of
        the source where both sides have one.

    Raises:
        SettingInvalid: a k that is neither 10 nor 1.
    """
    if relation.k not in _K_OF_LARGE:
        raise SettingInvalid(f"k of {relation.name}", relation.k, "10 or 1")
    ids: list[tuple[int, int]] = []
    dropped: Counter[str] = Counter()
    for source, target in relation.pairs:
        source_id = token_of(source, vocabulary, usable)
        target_id = token_of(target, vocabulary, usable)
        if isinstance(source_id, str):
            dropped[f"source {source_id}"] += 1
        elif isinstance(target_id, str):
            dropped[f"target {target_id}"] += 1
        else:
            ids.append((source_id, target_id))
    k = _K_OF_LARGE[relation.k] if vocab_rows >= LARGE_VOCABULARY else relation.k
    return RelationPairs(relation, k, tuple(ids), dict(dropped))


def token_of(word: str, vocabulary: Vocabulary, usable: Collection[int] | None) -> int | str:
    """The id of a word with a leading space, or why it has none that counts.

    Args:
        word: without the space.
        vocabulary: of the model.
        usable: token ids that count; None: every one that is not special.
    """
    try:
        id = vocabulary.one(" " + word)
    except TokenInvalid as invalid:
        several = len(invalid.pieces) > 1
        return "is several tokens" if several else "is not in the vocabulary as it is written"
    if id in vocabulary.special:
        return "is a special token"
    if usable is not None and id not in usable:
        return "is a token that --vocab usable leaves out"
    return id
