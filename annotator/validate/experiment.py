"""What an experiment is: one file of this room declares one, and `registry` has a line for it.

It computes a shard of rows for each relation; from the rows of all it makes tables and figures, as
data. How shards are kept and resumed, how tables are printed, written, exported and shown is the
same for all experiments and none of their business. Nothing heavy is imported at the top of such a
file: the command line reads it for its help.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from annotator.records import LEAST_PAIRS, RelationPairs
from annotator.records.figure import Figure
from annotator.records.table import Table

if TYPE_CHECKING:
    import pandas as pd
    from jaxtyping import Float
    from torch import Tensor

    from annotator.validate.inputs import ExperimentInputs

Facts = Mapping[str, Any]
Options = Mapping[str, Any]


@dataclass(frozen=True)
class Field:
    """A column of an experiment's rows.

    Attributes:
        kind: its type: string, int16, int32 or float64.
        meaning: in words, for whoever reads an export.
    """

    kind: str
    meaning: str


@dataclass(frozen=True)
class Exported:
    """A table of the exports that holds an experiment's rows.

    Attributes:
        name: its name.
        about: what its rows are.
        shared: whether several experiments have their rows in it, told by a column `experiment`.
    """

    name: str
    about: str
    shared: bool = False


VALIDATION = Exported(
    "validation",
    "a row per experiment, relation and head: static and dynamic scores",
    shared=True,
)
"""Of all experiments that give numbers to each head."""

LAYER_AND_HEAD = {
    "layer": Field("int16", "from 0"),
    "head": Field("int16", "query head in its layer, from 0"),
}
STATIC = {"static": Field("float64", "relation score from the weights, phi")}


@dataclass(frozen=True)
class Shard:
    """What an experiment gave on one relation.

    Attributes:
        rows: by column, lists or arrays; none where the experiment could not be made.
        facts: what is true of the whole relation and no column, as JSON has it; `reason` says why
            there is nothing to report.
    """

    rows: Mapping[str, Any]
    facts: Facts = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class ExperimentRows:
    """What an experiment gave on all relations.

    Attributes:
        rows: of all shards, one relation after the other.
        facts: of each relation; also of those that were not tried, with the reason.
        model: what the model is called.
        beside: the rows of the experiment that this one stands beside; None: it stands alone.
    """

    rows: pd.DataFrame
    facts: Mapping[str, Facts]
    model: str
    beside: pd.DataFrame | None = None


@dataclass(frozen=True)
class Option:
    """A choice of the user's; a whole number.

    Attributes:
        name: of the argument, and of the shards' setting.
        default: what it is where nobody says.
        help: what it is for.
    """

    name: str
    default: int
    help: str


Compute = Callable[
    ["ExperimentInputs", Sequence[RelationPairs], Options], Iterator[tuple[str, Shard]]
]
RelationSettings = Callable[[RelationPairs], Mapping[str, Any]]


def no_figures(_: ExperimentRows, __: Sequence[Table]) -> list[Figure]:
    """Of an experiment that draws nothing."""
    return []


def not_valid(pairs: RelationPairs, _: bool = False) -> Facts | None:
    """Why a relation is not tried: it is not valid for the model; None: it is."""
    if pairs.valid:
        return None
    reason = f"not valid here: {len(pairs.ids)} pairs count, {LEAST_PAIRS} are needed"
    return {"reason": reason, "sources": len(pairs.targets)}


@dataclass(frozen=True, eq=False)
class Experiment:
    """One experiment.

    Attributes:
        name: of its shards; the command line and its files have - for _.
        heading: what the terminal prints first; {model} is the model's name.
        help: of its command; the first line says what it does. Where it stands beside another, the
            help of the switch that adds it there.
        label: of its progress bar.
        fields: the columns of its rows; the first column, `relation`, all have.
        settings: what enters a relation's numbers, as JSON has it; a shard with other settings is
            none.
        compute: makes the shards of some relations, one after the other.
        tables: what the rows come to; the first is the one that `frame` gives.
        figures: the same, to be drawn; given the rows and the tables.
        left_out: why a relation is not tried: facts with a `reason`, or without one where nobody
            asked for it by name and nothing is to be said; None: it is tried.
        options: of its command.
        beside: the name of an experiment that it adds to, whose rows it needs.
        exported: the table of the exports that holds its rows.
        version: grows whenever `tables` or `figures` come to something else.
    """

    name: str
    heading: str
    help: str
    label: str
    fields: Mapping[str, Field]
    settings: Callable[[ExperimentInputs, Options], RelationSettings]
    compute: Compute
    tables: Callable[[ExperimentRows], Sequence[Table]]
    figures: Callable[[ExperimentRows, Sequence[Table]], Sequence[Figure]] = no_figures
    left_out: Callable[[RelationPairs, bool], Facts | None] = not_valid
    options: tuple[Option, ...] = ()
    beside: str | None = None
    exported: Exported = VALIDATION
    version: int = 1

    @property
    def command(self) -> str:
        """Its name on the command line and in exports."""
        return self.name.replace("_", "-")


def about(pairs: RelationPairs) -> Facts:
    """What is true of a relation in every experiment, and enters no number."""
    return {"published": pairs.relation.published, "k": pairs.k}


def head_rows(
    scores: Mapping[str, Float[Tensor, "n_layers n_heads"]], **keys: str | int
) -> dict[str, Any]:
    """Columns of numbers of all heads, by layer and head.

    Args:
        scores: of each column all heads' numbers.
        keys: columns that are the same in all of these rows.
    """
    import numpy as np

    size = next(iter(scores.values())).shape
    columns: dict[str, Any] = {name: np.full(size.numel(), value) for name, value in keys.items()}
    columns["layer"], columns["head"] = (at.ravel() for at in np.indices(size))
    return columns | {name: own.double().cpu().numpy().ravel() for name, own in scores.items()}


def stacked(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The rows of several, one after the other; no columns where there is no part."""
    import numpy as np

    return {name: np.concatenate([part[name] for part in parts]) for name in (parts or [{}])[0]}
