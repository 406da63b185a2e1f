"""What a head's salient mappings look like, one number each, over its 30 x 5 evidence pairs.

copy      share of rows whose first target equals the source, casefolded and without spaces and
          diacritics
stem      share of rows where a target shares at least four leading letters, or the whole shorter
          word, with the source; targets that equal the source aside
hub       share of rows that contain the single most frequent target
distinct  distinct targets over the number of pairs
script    share of targets whose Unicode script differs from their source's
fragment  share of tokens, sources and targets alike, that are whitespace, punctuation or partial
          bytes
focus     sigma mass of the evidence sources over that of the vocabulary, rescaled so that
          uniform is 0
strength  mean over rows of (top logit - row mean) / row sd; unbounded

`focus` and `strength` need the whole vocabulary and come from the engine.
"""

from __future__ import annotations

import string
import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from fontTools.unicodedata import script as script_of

from annotator.maps.engine import LayerMaps
from annotator.records import EVIDENCE_SOURCES, EVIDENCE_TARGETS, Signatures
from annotator.tokens.vocabulary import Vocabulary

_STEM = 4
_NO_SCRIPT = frozenset({"Zyyy", "Zinh", "Zzzz"})


def layer_signatures(maps: LayerMaps, vocabulary: Vocabulary) -> list[Signatures]:
    """The signatures of every head of a layer."""
    sources = maps.source_ids[:, :EVIDENCE_SOURCES].tolist()
    targets = maps.target_ids[:, :EVIDENCE_SOURCES, :EVIDENCE_TARGETS].tolist()
    return [
        signatures(pairs, vocabulary, focus=focus, strength=strength)
        for pairs, focus, strength in zip(
            [list(zip(s, t, strict=True)) for s, t in zip(sources, targets, strict=True)],
            maps.focus.tolist(),
            maps.strength.tolist(),
            strict=True,
        )
    ]


def signatures(
    rows: Sequence[tuple[int, Sequence[int]]],
    vocabulary: Vocabulary,
    *,
    focus: float,
    strength: float,
) -> Signatures:
    """The signatures of one head.

    Args:
        rows: for each source id, its target ids.
        vocabulary: the tokens' text.
        focus: from the engine.
        strength: from the engine.
    """
    n_rows = len(rows)
    flat = [target for _, targets in rows for target in targets]
    tokens = [source for source, _ in rows] + flat
    in_rows = Counter(target for _, targets in rows for target in set(targets))
    text = vocabulary.text
    return Signatures(
        copy=sum(_same(text(source), text(targets[0])) for source, targets in rows) / n_rows,
        stem=sum(any(_stems(text(s), text(t)) for t in targets) for s, targets in rows) / n_rows,
        hub=max(in_rows.values()) / n_rows,
        distinct=len(set(flat)) / len(flat),
        script=sum(_scripts_differ(text(s), text(t)) for s, ts in rows for t in ts) / len(flat),
        fragment=sum(_is_fragment(vocabulary.pieces[t]) for t in tokens) / len(tokens),
        focus=focus,
        strength=strength,
    )


@lru_cache(maxsize=1 << 17)
def _word(text: str | None) -> str:
    """A token's text casefolded, without spaces and diacritics."""
    if text is None:
        return ""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(c for c in decomposed if not c.isspace() and not unicodedata.combining(c))
    return unicodedata.normalize("NFC", bare)


def _same(source: str | None, target: str | None) -> bool:
    return _word(source) == _word(target) != ""


def _stems(source: str | None, target: str | None) -> bool:
    a, b = _word(source), _word(target)
    if a == b:
        return False
    shared = 0
    for x, y in zip(a, b, strict=False):
        if x != y or not x.isalpha():
            break
        shared += 1
    return shared >= _STEM or shared == min(len(a), len(b)) > 0


@lru_cache(maxsize=1 << 17)
def _script(text: str | None) -> str | None:
    """The most frequent script of a token's characters; None where it has none of its own.

    Common and Inherited characters (digits, punctuation, combining marks) belong to whatever
    script surrounds them (Unicode Standard Annex 24), so they set no token apart.
    """
    scripts = Counter(s for s in map(script_of, text or "") if s not in _NO_SCRIPT)
    return scripts.most_common(1)[0][0] if scripts else None


def _scripts_differ(source: str | None, target: str | None) -> bool:
    a, b = _script(source), _script(target)
    return a is not None and b is not None and a != b


def _is_fragment(piece: bytes | None) -> bool:
    """Whitespace, punctuation or partial bytes; a row without a token is none of them."""
    if piece is None:
        return False
    try:
        text = piece.decode("utf-8")
    except UnicodeDecodeError:
        return True
    return all(
        c.isspace() or c in string.punctuation or unicodedata.category(c)[0] == "P" for c in text
    )
