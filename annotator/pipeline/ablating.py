"""Silencing the heads of relations, a shard for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from annotator.catalog.validation import EXPERIMENTS, Shard
from annotator.pipeline.experiment import Compute, Experiment
from annotator.pipeline.progress import track
from annotator.records import HeadId, RelationPairs

if TYPE_CHECKING:
    from annotator.validate.ablate import Ablation, AblationTask


def settings_of(of: Experiment, seed: int) -> Callable[[RelationPairs], dict[str, Any]]:
    """What enters a relation's accuracies: all relations that ask, for any may be a control."""
    asked = [(one.relation.prompt, of.settings_of(one)) for one in of.pairs if one.relation.prompt]
    others = sha256(repr(asked).encode()).hexdigest()
    return lambda pairs: {
        **of.settings_of(pairs),
        "prompt": pairs.relation.prompt,
        "others": others,
        "seed": seed,
    }


def ablating(of: Experiment, seed: int) -> Compute:
    """Silences relations' heads."""

    def compute(relations: Sequence[RelationPairs]) -> Iterator[tuple[str, Shard]]:
        from annotator.validate.ablate import ablate, most_heads, relation_heads, why_dropped

        model, module = of.matrices, of.module
        tasks, absent = _tasks(of)
        bases = _bases(of, tasks)
        heads = relation_heads(of.scores, most_heads(model.dims))
        for pairs in relations:
            name = pairs.name
            reason = absent.get(name)
            if reason is None:
                reason = why_dropped(tasks[name], bases[name], heads[name])
            if reason is None:
                found = ablate(model, module, name, tasks, bases, heads, seed)
                yield name, Shard(_rows(found), _facts(pairs, None))
            else:
                asked = len(tasks[name].prompts) if name in tasks else 0
                base = [_row(name, "own", "", 0, (), bases[name], asked)] if asked else []
                yield name, Shard(_table(base), _facts(pairs, reason))

    return compute


def _tasks(of: Experiment) -> tuple[dict[str, AblationTask], dict[str, str]]:
    """The questions of each relation, and why some have none."""
    from annotator.validate.ablate import task_of

    tasks: dict[str, AblationTask] = {}
    absent: dict[str, str] = {}
    for pairs in of.pairs:
        task = task_of(pairs, of.vocabulary)
        if isinstance(task, str):
            absent[pairs.name] = task
        else:
            tasks[pairs.name] = task
    return tasks, absent


def _bases(of: Experiment, tasks: dict[str, AblationTask]) -> dict[str, int]:
    """How many questions of each the whole model answers."""
    from annotator.validate.ablate import base_correct

    model, module = of.matrices, of.module
    asked = track(tasks.items(), "Asking", len(tasks), unit="relation", show=of.progress)
    return {name: base_correct(model, module, task) for name, task in asked}


def _facts(pairs: RelationPairs, reason: str | None) -> dict[str, Any]:
    return {"published": pairs.relation.published, "k": pairs.k, "reason": reason}


def _rows(found: Ablation) -> pa.Table:
    name, step = found.relation, found.step
    added = [(), *((head,) for head in found.heads)]
    rows = [
        _row(name, "own", "", at, heads, correct, found.prompts)
        for at, (heads, correct) in enumerate(zip(added, found.correct, strict=True))
    ]
    rows += [
        _row(name, "random", str(at), step, draw.heads, draw.correct, found.prompts)
        for at, draw in enumerate(found.random)
    ]
    for one in found.controls:
        rows.append(_row(name, "control", one.relation, 0, (), one.base, one.prompts))
        own = found.heads[:step]
        rows.append(_row(name, "control", one.relation, step, own, one.correct, one.prompts))
    return _table(rows)


def _row(
    relation: str,
    kind: str,
    other: str,
    step: int,
    heads: Sequence[HeadId],
    correct: int,
    prompts: int,
) -> dict[str, Any]:
    return {
        "relation": relation,
        "kind": kind,
        "other": other,
        "step": step,
        "heads": " ".join(map(str, heads)),
        "correct": correct,
        "prompts": prompts,
    }


def _table(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=EXPERIMENTS["ablate"])
