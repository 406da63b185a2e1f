"""What zero ablation does to accuracy: from the experiment's rows to one for each relation.

Every share is read at one step: the first at which the relation's own heads bring its accuracy to
0, or the last one where they never do (as Elhelo & Geva 2024 read it).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import TYPE_CHECKING, Any, NamedTuple

from annotator.records import HeadId
from annotator.validate.experiment import Facts

if TYPE_CHECKING:
    import pandas as pd

OWN, RANDOM, CONTROL = "own", "random", "control"


class Measured(NamedTuple):
    """How many questions were answered rightly with some heads zero-ablated.

    Attributes:
        kind: OWN: the relation's heads; RANDOM: others; CONTROL: its heads, another's questions.
        other: of RANDOM the draw's number, from 0; of CONTROL the other relation; else "".
        step: how many heads are ablated.
        heads: those ablated since the row before of the same kind and other.
        correct: questions answered rightly.
        prompts: questions asked.
    """

    kind: str
    other: str
    step: int
    heads: Sequence[HeadId]
    correct: int
    prompts: int


@dataclass(frozen=True)
class Elsewhere:
    """The relation's heads zero-ablated in the prompts of another relation.

    Attributes:
        relation: the other one.
        base: its accuracy with nothing ablated.
        accuracy: its accuracy with the heads zero-ablated.
    """

    relation: str
    base: float
    accuracy: float


@dataclass(frozen=True)
class Accuracies:
    """One relation's accuracies.

    Attributes:
        relation: its name.
        prompts: how many were asked.
        base: accuracy with nothing ablated; None where nothing was asked.
        curve: accuracy after 0, 1, 2, ... of its heads, the strongest first.
        step: how many heads were zero-ablated where everything else is read; None: nothing was.
        own: accuracy there.
        random: accuracy with as many other heads zero-ablated, by draw.
        controls: other relations.
        reason: why something is missing; None: nothing is.
    """

    relation: str
    prompts: int = 0
    base: float | None = None
    curve: tuple[float, ...] = ()
    step: int | None = None
    own: float | None = None
    random: tuple[float, ...] = ()
    controls: tuple[Elsewhere, ...] = ()
    reason: str | None = None

    @property
    def random_mean(self) -> float | None:
        """The mean over draws."""
        return mean(self.random) if self.random else None

    @property
    def control_base(self) -> float | None:
        """The mean over other relations, nothing ablated."""
        return mean(one.base for one in self.controls) if self.controls else None

    @property
    def control_mean(self) -> float | None:
        """The mean over other relations, the heads zero-ablated."""
        return mean(one.accuracy for one in self.controls) if self.controls else None


def accuracies(rows: pd.DataFrame, facts: Mapping[str, Facts]) -> list[Accuracies]:
    """The rows of `ablate`, in the order of the facts.

    Args:
        rows: the table `ablate`.
        facts: of each relation; `reason` where it was left out.
    """
    return [
        _accuracies(name, rows[rows["relation"] == name].to_dict("records"), own.get("reason"))
        for name, own in facts.items()
    ]


def read_step(curve: Sequence[float]) -> int:
    """The first step of accuracy 0, or the last one.

    Args:
        curve: accuracy after 0, 1, 2, ... heads.
    """
    return next((step for step, share in enumerate(curve) if share == 0), len(curve) - 1)


def _accuracies(name: str, rows: Sequence[Mapping[Any, Any]], reason: str | None) -> Accuracies:
    shares = {
        (one["kind"], one["other"], one["step"]): one["correct"] / one["prompts"] for one in rows
    }
    curve = tuple(shares[at] for at in sorted(at for at in shares if at[0] == OWN))
    if not curve:
        return Accuracies(name, reason=reason)
    prompts = next(one["prompts"] for one in rows if one["kind"] == OWN)
    if reason:
        return Accuracies(name, prompts, curve[0], curve, reason=reason)
    step = read_step(curve)
    others = {
        kind: [at[1] for at in shares if at[0] == kind and at[2] == step]
        for kind in (RANDOM, CONTROL)
    }
    reasons = [
        *([] if others[RANDOM] else [f"the model has fewer than {step} other heads"]),
        *([] if others[CONTROL] else ["no other relation is fit to be its control"]),
    ]
    controls = (
        Elsewhere(o, shares[CONTROL, o, 0], shares[CONTROL, o, step]) for o in others[CONTROL]
    )
    return Accuracies(
        name,
        prompts,
        base=curve[0],
        curve=curve,
        step=step,
        own=curve[step],
        random=tuple(shares[RANDOM, draw, step] for draw in others[RANDOM]),
        controls=tuple(controls),
        reason="; ".join(reasons) or None,
    )
