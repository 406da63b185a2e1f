"""What a study comes to, beside what was published: sums of all answers, and of parts of them.

Only items of kinds that count as real are in the study's own numbers; each other kind has sums
apart, and none of them is mixed into those.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from annotator.judge.aggregate import Summary, summed
from annotator.judge.kinds import is_real
from annotator.records import Item, Judgment

QUARTERS = 4


@dataclass(frozen=True)
class Published:
    """A figure of the paper's own study (docs/definitions.md, "Published numbers").

    Attributes:
        figure: what it stands beside, see `annotator.judge.aggregate.SHARE_WORDS`.
        of: what it was measured on.
        share: in [0, 1].
        about: whether it was read off a chart.
    """

    figure: str
    of: str
    share: float
    about: bool = False


PUBLISHED_STUDY = (
    Published("matched", "272 heads of both models", 0.798),
    Published("matched", "Pythia 6.9B", 0.739),
    Published("matched", "GPT-2 xl", 0.858),
    Published("invented_of_none", "pattern-free heads of both models", 0.345),
    Published("strict", "described heads with a pattern", 0.66, about=True),
)


@dataclass(frozen=True)
class Quarter:
    """A quarter of the model's layers.

    Attributes:
        first: its first layer.
        last: its last layer.
        summary: of the judgments of its heads.
    """

    first: int
    last: int
    summary: Summary


@dataclass(frozen=True)
class Report:
    """What a study comes to.

    Attributes:
        items: how many real items there are to judge.
        total: of all judgments of those.
        quarters: of each quarter of the layers; a model of under four layers has fewer.
        raters: of each rater's judgments, by name.
        others: of each kind that is not real the sums, by kind.
    """

    items: int
    total: Summary
    quarters: Sequence[Quarter]
    raters: Mapping[str, Summary]
    others: Mapping[str, Summary]


def report(
    items: Mapping[str, Item],
    judgments: Iterable[Judgment],
    n_layers: int,
    categories: Mapping[str, str] | None = None,
) -> Report:
    """Sum up a study.

    Args:
        items: what is reported on, by id.
        judgments: the last of each rater and item; those of other items are left out.
        n_layers: of the model.
        categories: by request the language model's own category, where it gave one.
    """
    every = [judgment for judgment in judgments if judgment.item in items]
    ours = [one for one in every if is_real(items[one.item].kind)]
    given = categories or {}

    def summary(chosen: Callable[[Judgment], bool], of: Sequence[Judgment] = ours) -> Summary:
        return summed(items, [one for one in of if chosen(one)], given)

    quarters: list[Quarter] = []
    for quarter in range(QUARTERS):
        layers = [layer for layer in range(n_layers) if layer * QUARTERS // n_layers == quarter]
        if layers:
            found = summary(lambda one, here=layers: items[one.item].head.layer in here)
            quarters.append(Quarter(layers[0], layers[-1], found))
    others = dict.fromkeys(item.kind for item in items.values() if not is_real(item.kind))
    return Report(
        items=sum(is_real(item.kind) for item in items.values()),
        total=summary(lambda _: True),
        quarters=quarters,
        raters={
            rater: summary(lambda one, rater=rater: one.rater == rater)
            for rater in sorted({one.rater for one in ours})
        },
        others={
            kind: summary(lambda one, kind=kind: items[one.item].kind == kind, every)
            for kind in others
        },
    )
