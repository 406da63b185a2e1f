"""What raters are asked about: which descriptions, under which ids, in which order."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence

from annotator.describe.evidence import evidence_of
from annotator.judge.task import description_text
from annotator.records import Description, HeadId, HeadMap, Item

STATUSES = ("described", "unclear")
"""Of the descriptions that raters judge; a refusal, say, has nothing to judge."""
_ID = 16  # hex letters: 64 bits


def items_of(
    descriptions: Iterable[Description], heads: Mapping[HeadId, HeadMap], weight_digest: str
) -> list[Item]:
    """The items of those descriptions that raters can judge, in their order.

    Where two language models say the same of a head, word for word, their items have one id: what
    is answered on it holds for both.

    Args:
        descriptions: what is said of the heads.
        heads: the heads they are of.
        weight_digest: of the model's weights.
    """
    return [
        Item(
            id=_id_of(one, heads[one.head], weight_digest),
            head=one.head,
            llm=one.llm,
            status=one.status,
            key=one.key,
        )
        for one in descriptions
        if one.status in STATUSES
    ]


def order(items: Sequence[Item], seed: int, rater: str) -> list[Item]:
    """The items in a rater's own random order, the same for the same seed and rater.

    An item that is added leaves the order of the others as it is.
    """

    def place(item: Item) -> tuple[str, str]:
        return _digest([seed, rater, item.id]), item.llm

    return sorted(items, key=place)


def _id_of(description: Description, head: HeadMap, weight_digest: str) -> str:
    """An id that tells apart all that raters see, and hides who said it.

    The shading is left out: it follows from the weights, but for the last bits of a logit, which
    differ from device to device.
    """
    shown = evidence_of(head).mappings
    content = {
        "weights": weight_digest,
        "head": str(description.head),
        "mappings": [[mapping.source, *mapping.targets] for mapping in shown],
        "description": description_text(description),
        "status": description.status,
    }
    return _digest(content)[:_ID]


def _digest(content: object) -> str:
    """SHA-256 of canonical JSON."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
