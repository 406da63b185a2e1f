"""Heads, descriptions, items and judgments that are made up."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from annotator.judge.items import JUDGED_STATUSES, item_of
from annotator.judge.kinds import Shown
from annotator.records import (
    Description,
    HeadId,
    HeadMap,
    Item,
    Judgment,
    SalientMapping,
    Signatures,
    Target,
    Token,
)

WEIGHTS = "0" * 64
CAPITALS = (("␣France", ("␣Paris", "Paris")), ("␣Peru", ("␣Lima", "<b>&\"'")))


def head_map(
    head: str = "L0H0",
    mappings: Sequence[tuple[str, Sequence[str]]] = CAPITALS,
    logits: Sequence[float] = (2.0, 1.0, 0.5, 0.25, -1.0),
) -> HeadMap:
    """A head that shows these texts; `logits` are those of every row's targets."""
    return HeadMap(
        HeadId.parse(head),
        0,
        tuple(
            SalientMapping(
                Token(0, source),
                math.nan,
                tuple(Target(Token(0, t), logit) for t, logit in zip(texts, logits, strict=False)),
            )
            for source, texts in mappings
        ),
        Signatures(*[0.0] * 8),
    )


def description(head: str = "L0H0", status: str = "described", **changed: Any) -> Description:
    """What is said of a head."""
    said = {"inputs": "countries", "pattern": "their capitals", "category": "semantic"}
    if status != "described":
        said = dict.fromkeys(said)
    fields: dict[str, Any] = {
        **{"head": HeadId.parse(head), "llm": "openai:some-model", "status": status, **said},
        **{"reasoning": "r", "problem": None, "template": "", "key": f"key of {head}"},
        **{"tokens_in": 0, "tokens_out": 0, "seconds": 0.0, "at": 0.0},
    }
    return Description(**(fields | changed))


def item(head: str = "L0H0", status: str = "described", llm: str = "openai:some-model") -> Item:
    """The item of a made-up description."""
    said = description(head, status, llm=llm)
    return item_of(Shown(head_map(head), said), WEIGHTS)


def items_of(
    said: Iterable[Description], heads: Mapping[HeadId, HeadMap], weights: str = WEIGHTS
) -> list[Item]:
    """The real items of what can be judged."""
    judged = [one for one in said if one.status in JUDGED_STATUSES]
    return [item_of(Shown(heads[one.head], one), weights) for one in judged]


def judgment(
    of: Item | str, rater: str = "ana", pattern: bool | None = True, **changed: Any
) -> Any:
    """A rater's judgment: accurate and semantic where a pattern is seen, unless changed."""
    which = of if isinstance(of, str) else of.id
    answers = ("accurate", "semantic") if pattern else (None, None)
    fields: dict[str, Any] = {
        **{"item": which, "rater": rater, "annotation": f"{which} by {rater}", "pattern": pattern},
        **{"precision": answers[0], "category": answers[1], "comment": "", "seconds": 10.0},
        "at": 1.0,
    }
    return Judgment(**(fields | changed))
