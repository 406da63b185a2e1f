"""What judgments come to: the one place where they are counted.

A `Summary` is of any judgments: of a study, a rater, a head's description. Every share says what it
is of. Shares count answers, one for each rater and item; what was skipped counts nowhere else than
among the skips. Question 2 is also asked of an abstention, so that the form gives nothing away;
that answer counts nowhere. Intervals are Wilson's, which take answers as independent: where
several raters answer the same items, they are somewhat too narrow.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median

from annotator.records import ACCEPTED, CATEGORIES, PRECISIONS, Item, Judgment

OUTCOME_WORDS = {
    "described": "a pattern, and described",
    "missed": "a pattern, but an abstention",
    "abstained": "no pattern, and an abstention",
    "invented": "no pattern, but described",
}
QUESTION_WORDS = {
    "pattern": "a pattern?",
    "precision": "how well described?",
    "category": "which category?",
}
_OF_DESCRIBED = "answers that see a pattern where one was described"
_OF_ALL = "answers where a pattern was described"
SHARE_WORDS = {
    "matched": ("matched", "all answers"),
    "invented_of_none": ("invented", "answers that see no pattern"),
    "accepted": ("accepted", _OF_DESCRIBED),
    "strict": ("strict", _OF_DESCRIBED),
    "accepted_of_all": ("accepted, of all described", _OF_ALL),
    "strict_of_all": ("strict, of all described", _OF_ALL),
    "same_category": ("same category", f"{_OF_DESCRIBED}, in a category"),
}
"""The shares of a `Summary`, what each is called on the terminal and on the page, and of what it is
a share; likewise the others above."""
_Z = 1.959963984540054  # of a two-sided 95 % interval


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
        """Wilson's 95 % interval; None where there is nothing to share.

        Not scipy's: its `binomtest` takes 0.7 ms for one, this 0.001 ms, and exports of a large
        study ask for tens of thousands.
        """
        if not self.of:
            return None
        n, p, zz = self.of, self.count / self.of, _Z * _Z
        middle, half = p + zz / (2 * n), _Z * math.sqrt(p * (1 - p) / n + zz / (4 * n * n))
        low, high = (middle - half) / (1 + zz / n), (middle + half) / (1 + zz / n)
        return (0.0 if self.count == 0 else low, 1.0 if self.count == n else high)


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
        agreement: by question (pattern, precision, category) over all pairs of raters; question 2
            on described items alone.
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
    agreement: Mapping[str, Agreement]

    @property
    def outcomes(self) -> dict[str, Share]:
        """Question 1, of all answers, by the four published outcomes."""
        return {name: Share(getattr(self, name), self.answered) for name in OUTCOME_WORDS}

    @property
    def seen(self) -> Share:
        """A pattern is seen; of all answers."""
        return Share(self.described + self.missed, self.answered)

    @property
    def precisions(self) -> dict[str, Share]:
        """Question 2 by choice, of `described`."""
        return {name: Share(count, self.described) for name, count in self.precision.items()}

    @property
    def categories(self) -> dict[str, Share]:
        """Question 3 by choice, of the answers that see a pattern."""
        return {name: Share(count, self.seen.count) for name, count in self.category.items()}

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


def summed(
    items: Mapping[str, Item], judgments: Sequence[Judgment], categories: Mapping[str, str]
) -> Summary:
    """What some judgments come to.

    Args:
        items: what they are of, by id.
        judgments: the last of each rater and item.
        categories: by request the language model's own category, where it gave one.
    """
    answered = [one for one in judgments if not one.skipped]
    count = Counter((one.pattern, items[one.item].status) for one in answered)
    described = [one for one in answered if one.pattern and items[one.item].status == "described"]
    precision = Counter(one.precision for one in described)
    category = Counter(one.category for one in answered if one.pattern)
    known = [one for one in described if items[one.item].key in categories]
    same = sum(one.category == categories[items[one.item].key] for one in known)
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
        agreement={
            "pattern": _agreement(answered, lambda one: one.pattern),
            "precision": _agreement(
                [one for one in answered if items[one.item].status == "described"],
                lambda one: one.precision,
            ),
            "category": _agreement(answered, lambda one: one.category),
        },
    )


def _agreement(
    judgments: Sequence[Judgment], answer: Callable[[Judgment], bool | str | None]
) -> Agreement:
    """Of all pairs of answers to the same; None is no answer."""
    given: defaultdict[str, list[bool | str]] = defaultdict(list)
    for judgment in judgments:
        value = answer(judgment)
        if value is not None:
            given[judgment.item].append(value)
    common = [answers for answers in given.values() if len(answers) > 1]
    pairs = [one == other for answers in common for one, other in combinations(answers, 2)]
    return Agreement(Share(sum(pairs), len(pairs)), len(common))
