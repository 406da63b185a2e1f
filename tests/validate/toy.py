"""An experiment that only tests know: how far a head's phi is above the mean of all heads.

Where the environment names a file in TOY_KILLS, the process is killed (SIGKILL) when its second
relation is computed, once: the file is then there.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from annotator.records import RelationPairs
from annotator.records.figure import LINE, Figure, Panel, Series
from annotator.records.table import NUMBER, TEXT, WHOLE, Column, Table
from annotator.validate.experiment import (
    LAYER_AND_HEAD,
    STATIC,
    Experiment,
    ExperimentRows,
    Field,
    Option,
    Options,
    RelationSettings,
    Shard,
    head_rows,
)

if TYPE_CHECKING:
    from annotator.validate.inputs import ExperimentInputs

COMPUTED: list[str] = []


def settings(lab: ExperimentInputs, options: Options) -> RelationSettings:
    return lambda pairs: {**lab.settings_of(pairs), "power": options["power"]}


def compute(
    lab: ExperimentInputs, relations: Sequence[RelationPairs], options: Options
) -> Iterator[tuple[str, Shard]]:
    for number, pairs in enumerate(relations):
        marker = Path(os.environ.get("TOY_KILLS", os.devnull))
        if number == 1 and not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        static = lab.static(pairs.name)
        scores = {"static": static, "above": (static - static.mean()) ** options["power"]}
        COMPUTED.append(pairs.name)
        yield pairs.name, Shard(head_rows(scores, relation=pairs.name), {"heads": static.numel()})


def tables(kept: ExperimentRows) -> list[Table]:
    largest = kept.rows.groupby("relation", sort=False)["above"].max()
    names = largest.index.tolist()
    heads = [kept.facts[name]["heads"] for name in names]
    columns = [
        Column(TEXT, names, "relation", "relation", "relation", "head"),
        Column(WHOLE, heads, "heads", "how many heads", "heads"),
        Column(NUMBER, largest.tolist(), "above", "largest above the mean", "above"),
    ]
    return [Table("toy-one", "How far above the mean", "A toy's number.", columns, "It is a toy.")]


def figures(kept: ExperimentRows, _: Sequence[Table]) -> list[Figure]:
    panels = [
        Panel(name, "toy", [Series("heads", LINE, list(range(len(own))), own["static"].tolist())])
        for name, own in kept.rows.groupby("relation", sort=False)
    ]
    return [Figure("toy-one", "heads", "phi", panels, on_page=True)]


EXPERIMENT = Experiment(
    name="toy_one",
    heading="A toy of {model}",
    help="Do what only a test wants.\n\nNothing else has heard of it.",
    label="Toying",
    fields={
        **LAYER_AND_HEAD,
        **STATIC,
        "above": Field("float64", "phi minus its mean over heads"),
    },
    settings=settings,
    compute=compute,
    tables=tables,
    figures=figures,
    options=(Option("power", 1, "That it is raised to."),),
)
