"""What raters are asked about: which descriptions, under which ids, in which order."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from annotator.describe.evidence import description_text, evidence_of
from annotator.judge.kinds import Shown
from annotator.records import REAL, Item

JUDGED_STATUSES = ("described", "unclear")
"""Of the descriptions that raters judge; a refusal, say, has nothing to judge."""
_ID = 16  # hex letters: 64 bits


def item_of(shown: Shown, weight_digest: str, kind: str = REAL) -> Item:
    """The item of a description that raters can judge.

    Where two describers say the same of a head, word for word, their items have one id: what is
    answered on it holds for both.

    Args:
        shown: the map and the description.
        weight_digest: of the model's weights.
        kind: of `annotator.judge.kinds`.
    """
    said = shown.said
    return Item(
        id=_id_of(shown, weight_digest, kind),
        head=shown.head.head,
        llm=said.llm,
        status=said.status,
        key=said.key,
        kind=kind,
        template=said.template,
        name=said.name,
    )


def order(items: Sequence[Item], seed: int, rater: str) -> list[Item]:
    """The items in a rater's own random order, the same for the same seed and rater.

    An item that is added leaves the order of the others as it is.
    """

    def place(item: Item) -> tuple[str, str]:
        return _digest([seed, rater, item.id]), item.llm

    return sorted(items, key=place)


def _id_of(shown: Shown, weight_digest: str, kind: str) -> str:
    """An id that tells apart all that raters see, and hides who said it.

    The shading is left out: it follows from the weights, but for the last bits of a logit, which
    differ from device to device. Real items were there before kinds were, and name none.
    """
    mappings = evidence_of(shown.head).mappings
    content = {
        "weights": weight_digest,
        "head": str(shown.head.head),
        "mappings": [[mapping.source, *mapping.targets] for mapping in mappings],
        "description": description_text(shown.said),
        "status": shown.said.status,
        **({} if kind == REAL else {"kind": kind}),
    }
    return _digest(content)[:_ID]


def _digest(content: object) -> str:
    """SHA-256 of canonical JSON."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
