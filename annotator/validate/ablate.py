"""Accuracy with a relation's heads ablated, beside random heads and another relation's prompts.

Every share is read at one step: the first at which the relation's own heads bring its accuracy to
0, or the last one where they never do (as Elhelo & Geva 2024 read it).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from annotator.records import RelationPairs
from annotator.records.figure import DIAMONDS, DOTS, LINE, THIN, Figure, Panel, Series
from annotator.records.table import CHANGE, NUMBER, REASON, TEXT, WHOLE, Column, Table
from annotator.validate.ablation_accuracy import OWN, Accuracies, Measured, accuracies
from annotator.validate.experiment import (
    Experiment,
    ExperimentRows,
    Exported,
    Facts,
    Field,
    Option,
    Options,
    RelationSettings,
    Shard,
    not_valid,
)

if TYPE_CHECKING:
    from annotator.validate.ablation_curves import AblationTask
    from annotator.validate.inputs import ExperimentInputs

NO_PROMPT = "it has no prompt that asks for it"
ELSEWHERE = "its heads, another relation"
TITLE = "Accuracy as a relation's heads are zero-ablated"
ABOUT = (
    "Share of prompts whose answer is the target, before and after so many heads are zeroed at the "
    "last position: the relation's own, as many random ones, and its own on the prompts of others."
)
NOTE = (
    "accuracy: share of prompts answered by the whole model; heads: how many of the relation's, "
    "the strongest first, are zero-ablated at the last position: the fewest that leave no right "
    "answer, else all; left: accuracy without them; random: without as many other heads, mean of "
    "the draws; controls: mean accuracy on other relations before and after ablating the same "
    "heads."
)
FIELDS = {
    "kind": Field(
        "string",
        "own: the relation's heads; random: others; control: its heads, another's prompts",
    ),
    "other": Field(
        "string", "random: the draw's number, from 0; control: whose prompts; else empty"
    ),
    "step": Field("int32", "how many heads are zero-ablated"),
    "heads": Field("string", "those ablated since the row before, spaces between"),
    "correct": Field("int32", "prompts whose answer is the target"),
    "prompts": Field("int32", "prompts asked"),
}
"""A row per measured accuracy: own at all steps from 0; control at step 0 too, its base."""


def asked_for(relations: Sequence[RelationPairs]) -> list[RelationPairs]:
    """The valid relations that have a prompt."""
    return [one for one in relations if one.valid and one.relation.prompt]


def left_out(pairs: RelationPairs, named: bool) -> Facts | None:
    """Relations that are not valid, or have no prompt; of these nobody wants to hear unasked."""
    if pairs.relation.prompt:
        return not_valid(pairs)
    return {"reason": NO_PROMPT} if named else {}


def settings(lab: ExperimentInputs, options: Options) -> RelationSettings:
    """What enters a relation's accuracies: all relations that ask, for any may be a control."""
    asked = [(one.name, one.relation.prompt, lab.settings_of(one)) for one in asked_for(lab.pairs)]
    others = sha256(repr(sorted(asked)).encode()).hexdigest()
    return lambda pairs: {
        **lab.settings_of(pairs),
        "prompt": pairs.relation.prompt,
        "others": others,
        "controls": "of the same number of heads",
        "seed": options["seed"],
    }


def compute(
    lab: ExperimentInputs, relations: Sequence[RelationPairs], options: Options
) -> Iterator[tuple[str, Shard]]:
    """Ablate each relation's heads, one more at each step, and what that is compared with."""
    from annotator.validate import ablation_curves as ablation

    model, module, seed = lab.matrices, lab.module, options["seed"]
    tasks = {one.name: ablation.task_of(one, lab.vocabulary) for one in asked_for(lab.pairs)}
    bases = _bases(lab, tasks, settings(lab, options))
    heads = ablation.relation_heads(lab.scores, ablation.most_heads(model.dims))
    for pairs in relations:
        name = pairs.name
        reason = ablation.why_dropped(tasks[name], bases[name], heads[name])
        if reason is None:
            watched = partial(_watched, lab, name)
            rows = ablation.ablate(model, module, name, tasks, bases, heads, seed, watched)
        else:
            rows = [Measured(OWN, "", 0, (), bases[name], len(tasks[name].prompts))]
        columns = {field: [getattr(row, field) for row in rows] for field in FIELDS}
        columns["heads"] = [" ".join(map(str, row.heads)) for row in rows]
        yield name, Shard({"relation": [name] * len(rows), **columns}, {"reason": reason})


def _watched(lab: ExperimentInputs, name: str, batches: Sequence[Any]) -> Iterable[Any]:
    return lab.track(batches, f"Ablating, {name}", len(batches), unit="batch")


def _bases(
    lab: ExperimentInputs, tasks: Mapping[str, AblationTask], made_with: RelationSettings
) -> dict[str, int]:
    """How many questions of each the whole model answers; a finished shard says it."""
    from annotator.validate.ablation_curves import base_correct

    bases: dict[str, int] = {}
    for name, task in lab.track(tasks.items(), "Asking", len(tasks), unit="relation"):
        rows = lab.finished("ablate", name, made_with(task.pairs))
        if rows is None:
            bases[name] = base_correct(lab.matrices, lab.module, task)
        else:
            own = rows[(rows["kind"] == OWN) & (rows["step"] == 0)]
            bases[name] = int(own["correct"].iloc[0])
    return bases


def tables(kept: ExperimentRows) -> list[Table]:
    """What the accuracies come to."""
    return [accuracy_table(accuracies(kept.rows, kept.facts))]


def accuracy_table(rows: Sequence[Accuracies]) -> Table:
    """A row for each relation; the single draws and controls are in the experiment's rows."""
    names = [row.relation for row in rows]
    changes = [(r.control_base, r.control_mean) if r.controls else None for r in rows]
    columns = [
        Column(TEXT, names, "relation", "relation", "relation", "head"),
        Column(WHOLE, [row.prompts for row in rows], "prompts", "prompts", "prompts"),
        _share("base", "accuracy", "accuracy", [row.base for row in rows]),
        Column(WHOLE, [row.step for row in rows], "step", "heads", "heads"),
        _share("own", "without them", "left", [row.own for row in rows]),
        _share("random", "without random ones", "random", [row.random_mean for row in rows]),
        _share("control_base", "others' accuracy", None, [row.control_base for row in rows]),
        _share("control", "others' without them", None, [row.control_mean for row in rows]),
        Column(CHANGE, changes, printed="controls", digits=2),
        Column(WHOLE, [len(row.random) for row in rows], "draws"),
        Column(TEXT, [" ".join(o.relation for o in r.controls) for r in rows], "controls"),
        Column(REASON, [row.reason for row in rows], "reason", "missing because"),
    ]
    unmeasured = frozenset(at for at, row in enumerate(rows) if row.step is None)
    return Table("ablate", TITLE, ABOUT, columns, note=NOTE, unmeasured=unmeasured)


def _share(name: str, label: str, printed: str | None, values: Sequence[float | None]) -> Column:
    return Column(NUMBER, values, name, label, printed, digits=2)


def figures(kept: ExperimentRows, _: Sequence[Table]) -> list[Figure]:
    """The curves of accuracy."""
    return ablations(accuracies(kept.rows, kept.facts))


def ablations(rows: Sequence[Accuracies]) -> list[Figure]:
    """Accuracy as heads are ablated, a panel for each relation that was."""
    panels = [_panel(row, row.step) for row in rows if row.step is not None]
    x, y = "heads zero-ablated (dotted: where the table reads)", "accuracy"
    return [Figure("ablate", x, y, panels, on_page=True)] if panels else []


def _panel(row: Accuracies, step: int) -> Panel:
    after = [one.accuracy for one in row.controls]
    series = [
        Series("its own heads", LINE, list(range(len(row.curve))), row.curve),
        Series("as many other heads", DOTS, [step] * len(row.random), row.random),
        *(Series(ELSEWHERE, THIN, (0, step), (one.base, one.accuracy)) for one in row.controls),
        Series(ELSEWHERE, DIAMONDS, [step] * len(after), after),
    ]
    return Panel(row.relation, f"{row.prompts} prompts", series, at=step)


EXPERIMENT = Experiment(
    name="ablate",
    heading="Accuracy of {model} with heads zero-ablated",
    help="""Zero-ablate a relation's heads and see whether the model still knows it.

    The heads of highest score are ablated one after the other, at the last position of a prompt
    that asks for the target; beside them as many random heads, and the same heads on prompts of
    other relations.
    """,
    label="Ablating",
    fields=FIELDS,
    settings=settings,
    compute=compute,
    tables=tables,
    figures=figures,
    left_out=left_out,
    options=(Option("seed", 0, "Of everything that is drawn."),),
    exported=Exported("ablations", "a row per measured accuracy with heads zero-ablated"),
    version=2,
)
