"""What was judged, as rows of numbers: of each item and describer, and of each describer's study.

The numbers are those of `annotator.judge.aggregate`. Whoever shows a verdict shows its row and
computes nothing. An item of two describers, who say the same of a head, has a verdict of each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from annotator.judge.aggregate import OUTCOME_WORDS, QUESTION_WORDS, Summary, summed
from annotator.records import CATEGORIES, PRECISIONS, Describer, Item, Judgment

_SHARES = ("accepted", "strict", "matched")
COUNTS = (
    *("answered", "skipped", "seen", *OUTCOME_WORDS, *PRECISIONS, *CATEGORIES, *_SHARES),
    *(f"{name}_{question}" for question in QUESTION_WORDS for name in ("agree", "pairs")),
)
MEASURES = (
    *(f"{name}_{part}" for name in _SHARES for part in ("share", "low", "high")),
    *(f"agree_{question}_share" for question in QUESTION_WORDS),
    "seconds",
)
"""The columns of a row: whole numbers, and shares with their intervals, which may be none."""


@dataclass(frozen=True)
class Verdict:
    """What raters make of one item.

    Attributes:
        item: what they were shown.
        judgments: the last answer of each rater.
        summary: what the answers come to.
    """

    item: Item
    judgments: Sequence[Judgment]
    summary: Summary


@dataclass(frozen=True)
class Standing:
    """What raters make of all that a describer said, by items of one kind.

    Attributes:
        who: the describer.
        kind: of the items.
        items: how many there are to judge.
        summary: what the answers come to.
    """

    who: Describer
    kind: str
    items: int
    summary: Summary


def verdicts(
    items: Iterable[Item], judgments: Iterable[Judgment], categories: Mapping[str, str]
) -> list[Verdict]:
    """Of each item that was answered or skipped, in their order.

    Args:
        items: an item of two describers is there twice.
        judgments: the last of each rater and item.
        categories: by request the language model's own category, where it gave one.
    """
    given: dict[str, list[Judgment]] = {}
    for judgment in judgments:
        given.setdefault(judgment.item, []).append(judgment)
    return [
        Verdict(item, given[item.id], summed({item.id: item}, given[item.id], categories))
        for item in items
        if item.id in given
    ]


def standings(
    items: Iterable[Item], judgments: Sequence[Judgment], categories: Mapping[str, str]
) -> list[Standing]:
    """Of each describer and kind of which something was answered or skipped; see `verdicts`."""
    groups: dict[tuple[Describer, str], dict[str, Item]] = {}
    for item in items:
        groups.setdefault((item.who, item.kind), {})[item.id] = item
    found = {of: (own, [one for one in judgments if one.item in own]) for of, own in groups.items()}
    return [
        Standing(who, kind, len(own), summed(own, ours, categories))
        for (who, kind), (own, ours) in found.items()
        if ours
    ]


def row(summary: Summary) -> dict[str, float | int | None]:
    """The numbers of a summary, flat: all of COUNTS and MEASURES."""
    shares = {name: getattr(summary, name) for name in _SHARES}
    agreement = {f"agree_{name}": one.pairs for name, one in summary.agreement.items()}
    found: dict[str, float | int | None] = {
        **{name: getattr(summary, name) for name in ("answered", "skipped", *OUTCOME_WORDS)},
        **{"seen": summary.seen.count, **summary.precision, **summary.category},
        **{f"pairs_{name}": one.pairs.of for name, one in summary.agreement.items()},
        "seconds": summary.seconds,
    }
    for name, share in {**shares, **agreement}.items():
        low, high = share.interval or (None, None)
        found |= {name: share.count, f"{name}_share": share.share}
        found |= {f"{name}_low": low, f"{name}_high": high}
    return {name: found[name] for name in (*COUNTS, *MEASURES)}
