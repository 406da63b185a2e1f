"""What is said of heads: by language models, and by people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from annotator.records import html
from annotator.records.heads import HeadId

BASELINE = "rules"
"""What stands for a language model where sentences come from the signatures, by fixed rules."""
Category = Literal["semantic", "language", "general", "unnatural"]
CATEGORIES: tuple[str, ...] = get_args(Category)
"""Of what category a pattern is: question 3, and what describers are asked too."""
PRECISIONS = {
    "accurate": "correct and accurate",
    "scope": "correct, too general or too specific",
    "partial": "partly correct",
    "poor": "poor",
}
"""How well a description fits: question 2, by its name in tables what it means."""
ACCEPTED = ("accurate", "scope")
"""The answers to question 2 that accept a description; scope: too general or too specific."""


REAL = "real"
"""The kind of an item that shows a head's own map and what is said of it."""


def by_whom(name: str) -> str:
    """A describer as people are shown it; the baseline is called one."""
    return f"{name} (baseline, no language model)" if name == BASELINE else name


@dataclass(frozen=True, slots=True, order=True)
class Describer:
    """Who describes: a language model that is asked with a prompt, under a name.

    Attributes:
        llm: as --llm names it.
        template: SHA-256 of the prompt's template; "" for the baseline, which has none.
        name: as --as names it, or "".
    """

    llm: str
    template: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Description:
    """What a language model, or the baseline, says of a head.

    Attributes:
        head: which head.
        llm: as --llm names it; "rules" is the baseline, and no language model.
        status: described, unclear (no pattern, it says), refused, truncated or malformed.
        inputs: what the inputs are; None unless described or unclear.
        pattern: what they are mapped to; None unless described.
        category: semantic, language, general or unnatural; None unless described.
        reasoning: why; None unless described or unclear.
        problem: what there is in place of an answer; None if described or unclear.
        template: SHA-256 of the prompt's template; "" for the baseline, which has none.
        key: of the request; the ledger has it whole.
        tokens_in: prompt tokens of all attempts.
        tokens_out: completion tokens of all attempts.
        seconds: the answer took.
        at: when it came, seconds since 1970.
        name: the describer's, as --as named it, or "".
        describer: who says it, in full, as every command takes it.
        shown: the same in short, as people are shown it; by default the language model.
        superseded: whether the same describer has said something else of the head since.
    """

    head: HeadId
    llm: str
    status: str
    inputs: str | None
    pattern: str | None
    category: str | None
    reasoning: str | None
    problem: str | None
    template: str
    key: str
    tokens_in: int
    tokens_out: int
    seconds: float
    at: float
    name: str = ""
    describer: str = ""
    shown: str = ""
    superseded: bool = False

    @property
    def by(self) -> str:
        """Who says it; the baseline is called one wherever it shows."""
        return by_whom(self.shown or self.llm)

    @property
    def who(self) -> Describer:
        """Who says it, as the ledger knows them."""
        return Describer(self.llm, self.template, self.name)

    def _repr_html_(self) -> str:
        """What it says and where that came from, for notebooks."""
        names = ("inputs", "pattern", "category", "reasoning", "problem")
        said = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        cost = f"{self.tokens_in:,} tokens in, {self.tokens_out:,} out, {self.seconds:.1f} s"
        came = {"template": self.template[:12] or None, "at": html.day(self.at), "for": cost}
        return html.facts(f"{self.head}: {self.status}, says {self.by}", said | came)


@dataclass(frozen=True, slots=True)
class Item:
    """What raters are shown: mappings, and the description they judge.

    Attributes:
        id: the same for the same kind, head, mappings and description, and for no others.
        head: which head; raters do not see it.
        llm: who wrote the description; raters do not see it.
        status: the description's, described or unclear.
        key: of the request that the description answered.
        kind: "real", or how else it was made; raters do not see it.
        template: SHA-256 of the prompt's template, or "".
        name: the describer's, as --as named it, or "".
    """

    id: str
    head: HeadId
    llm: str
    status: str
    key: str
    kind: str = REAL
    template: str = ""
    name: str = ""

    @property
    def who(self) -> Describer:
        """Who wrote the description, as the ledger knows them."""
        return Describer(self.llm, self.template, self.name)

    def _repr_html_(self) -> str:
        """Whose description of what, for notebooks."""
        of = {"head": self.head, "description": f"{self.status}, by {by_whom(self.llm)}"}
        return html.facts(f"Item {self.id}", of)


@dataclass(frozen=True, slots=True)
class Judgment:
    """What one rater answered on one item.

    Attributes:
        item: the item's id.
        rater: the rater's pseudonym.
        annotation: Label Studio's own id of the answer; an edit keeps it.
        pattern: question 1, whether a recurring pattern is seen; None: skipped.
        precision: question 2, accurate, scope, partial or poor; None: not asked.
        category: question 3, semantic, language, general or unnatural; None: not asked.
        comment: the rater's own words, or "".
        seconds: spent on it, as Label Studio counts; None where it does not say.
        at: when it was given or last edited, seconds since 1970.
    """

    item: str
    rater: str
    annotation: str
    pattern: bool | None
    precision: str | None
    category: str | None
    comment: str
    seconds: float | None
    at: float

    @property
    def skipped(self) -> bool:
        """Whether the rater passed it over."""
        return self.pattern is None

    def _repr_html_(self) -> str:
        """The answers, for notebooks."""
        answers = {"skipped": True} if self.skipped else {"a pattern is seen": self.pattern}
        for name in ("precision", "category", "comment", "seconds"):
            if value := getattr(self, name):
                answers[name] = value
        return html.facts(f"{self.rater} on item {self.item}", {**answers, "at": html.day(self.at)})
