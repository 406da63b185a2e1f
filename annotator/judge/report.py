"""What a study's judgments come to: numbers only, each with what it is a share of.

Every share counts answers, one for each rater and item; what was skipped counts nowhere else than
among the skips. Question 2 is also asked of an abstention, so that the form gives nothing away;
that answer counts nowhere. Intervals are Wilson's, which take answers as independent: where
several raters answer the same items, they are somewhat too narrow.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median

from annotator.records import ACCEPTED, Item, Judgment

PRECISIONS = ("accurate", "scope", "partial", "poor")
CATEGORIES = ("semantic", "language", "general", "unnatural")
QUARTERS = 4
_Z = 1.959963984540054  # of a two-sided 95 % interval


@dataclass(frozen=True)
class Published:
    """A figure of the paper's own study, see DESIGN.

    Attributes:
        figure: what it stands beside: matched, invented or strict.
        of: what it was measured on.
        share: in [0, 1].
        about: whether it was read off a chart.
    """

    figure: str
    of: str
    share: float
    about: bool = False


PUBLISHED = (
    Published("matched", "272 heads of both models", 0.798),
    Published("matched", "Pythia 6.9B", 0.739),
    Published("matched", "GPT-2 xl", 0.858),
    Published("invented", "pattern-free heads of both models", 0.345),
    Published("strict", "described heads with a pattern", 0.66, about=True),
)


@dataclass(frozen=True)
class Share:
    """So many of so many."""

    count: int
    of: int

    @property
    def share(self) -> float | None:
        """In [0, 1]; None where there is nothing to share."""
        return self.count / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Wilson's 95 % interval; None where there is nothing to share."""
        if not self.of:
            return None
        n, p, zz = self.of, self.count / self.of, _Z * _Z
        middle, half = p + zz / (2 * n), _Z * math.sqrt(p * (1 - p) / n + zz / (4 * n * n))
        low, high = (middle - half) / (1 + zz / n), (middle + half) / (1 + zz / n)
        return (0.0 if self.count == 0 else low, 1.0 if self.count == n else high)


@dataclass(frozen=True)
class Summary:
    """What some of the judgments come to.

    Attributes:
        items: how many different items were answered.
        answered: how many answers there are.
        skipped: how many items were skipped instead.
        described: pattern yes, and it was described.
        missed: pattern yes, and the language model abstained.
        abstained: pattern no, and the language model abstained.
        invented: pattern no, and one was described.
        precision: question 2, of `described`, by choice.
        category: question 3, of `described` and `missed`, by choice.
        same_category: the language model's category is the rater's; of `described`, where the
            language model's is known.
        seconds: the median spent on an answer; None where it is not known of any.
    """

    items: int
    answered: int
    skipped: int
    described: int
    missed: int
    abstained: int
    invented: int
    precision: Mapping[str, int]
    category: Mapping[str, int]
    same_category: Share
    seconds: float | None

    @property
    def outcomes(self) -> dict[str, Share]:
        """Question 1, of all answers, by the four published outcomes."""
        names = ("described", "missed", "abstained", "invented")
        return {name: Share(getattr(self, name), self.answered) for name in names}

    @property
    def matched(self) -> Share:
        """Described where there is a pattern, or abstained where there is none; of all answers."""
        return Share(self.described + self.abstained, self.answered)

    @property
    def invented_of_none(self) -> Share:
        """Invented, of the answers that see no pattern."""
        return Share(self.invented, self.invented + self.abstained)

    @property
    def accepted(self) -> Share:
        """Accurate, too general or too specific; of `described`."""
        return Share(sum(self.precision[name] for name in ACCEPTED), self.described)

    @property
    def strict(self) -> Share:
        """Accurate; of `described`."""
        return Share(self.precision["accurate"], self.described)

    @property
    def accepted_of_all(self) -> Share:
        """Accurate, too general or too specific; of all answers on descriptions."""
        return Share(self.accepted.count, self.described + self.invented)

    @property
    def strict_of_all(self) -> Share:
        """Accurate; of all answers on descriptions."""
        return Share(self.strict.count, self.described + self.invented)


@dataclass(frozen=True)
class Agreement:
    """How often two raters who were asked the same gave the same answer.

    Attributes:
        pairs: of answers by two raters to the same question of the same item, those that agree.
        items: how many items they are of.
    """

    pairs: Share
    items: int


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
        items: how many items there are to judge.
        total: of all judgments.
        quarters: of each quarter of the layers; a model of under four layers has fewer.
        raters: of each rater's judgments, by name.
        agreement: by question (pattern, precision, category) over all pairs of raters; question 2
            on described items alone.
    """

    items: int
    total: Summary
    quarters: Sequence[Quarter]
    raters: Mapping[str, Summary]
    agreement: Mapping[str, Agreement]


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
        categories: by item the language model's own category, where it gave one.
    """
    ours = [judgment for judgment in judgments if judgment.item in items]
    given = categories or {}

    def summary(chosen: Callable[[Judgment], bool]) -> Summary:
        return _summary(items, [one for one in ours if chosen(one)], given)

    quarters: list[Quarter] = []
    for quarter in range(QUARTERS):
        layers = [layer for layer in range(n_layers) if layer * QUARTERS // n_layers == quarter]
        if layers:
            found = summary(lambda one, here=layers: items[one.item].head.layer in here)
            quarters.append(Quarter(layers[0], layers[-1], found))
    described = {id for id, item in items.items() if item.status == "described"}
    return Report(
        items=len(items),
        total=summary(lambda _: True),
        quarters=quarters,
        raters={
            rater: summary(lambda one, rater=rater: one.rater == rater)
            for rater in sorted({one.rater for one in ours})
        },
        agreement={
            "pattern": _agreement(ours, lambda one: one.pattern, items),
            "precision": _agreement(ours, lambda one: one.precision, described),
            "category": _agreement(ours, lambda one: one.category, items),
        },
    )


def _summary(
    items: Mapping[str, Item], judgments: Sequence[Judgment], categories: Mapping[str, str]
) -> Summary:
    answered = [one for one in judgments if not one.skipped]
    count = Counter((one.pattern, items[one.item].status) for one in answered)
    described = [one for one in answered if one.pattern and items[one.item].status == "described"]
    precision = Counter(one.precision for one in described)
    category = Counter(one.category for one in answered if one.pattern)
    known = [one for one in described if one.item in categories]
    same = sum(one.category == categories[one.item] for one in known)
    seconds = [one.seconds for one in answered if one.seconds is not None]
    return Summary(
        items=len({one.item for one in answered}),
        answered=len(answered),
        skipped=len(judgments) - len(answered),
        described=len(described),
        missed=count[True, "unclear"],
        abstained=count[False, "unclear"],
        invented=count[False, "described"],
        precision={name: precision[name] for name in PRECISIONS},
        category={name: category[name] for name in CATEGORIES},
        same_category=Share(same, len(known)),
        seconds=median(seconds) if seconds else None,
    )


def _agreement(
    judgments: Sequence[Judgment],
    answer: Callable[[Judgment], bool | str | None],
    items: Collection[str],
) -> Agreement:
    """Of all pairs of answers to the same; None is no answer."""
    given: defaultdict[str, list[bool | str]] = defaultdict(list)
    for judgment in judgments:
        value = answer(judgment)
        if value is not None and judgment.item in items:
            given[judgment.item].append(value)
    common = [answers for answers in given.values() if len(answers) > 1]
    pairs = [one == other for answers in common for one, other in combinations(answers, 2)]
    return Agreement(Share(sum(pairs), len(pairs)), len(common))
