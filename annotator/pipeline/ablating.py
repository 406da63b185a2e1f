"""Silencing the heads of relations, a shard for each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from annotator.catalog.validation import EXPERIMENTS, Shard, read_shard
from annotator.pipeline.experiment import Compute, Experiment
from annotator.pipeline.progress import track
from annotator.records import HeadId, RelationPairs

if TYPE_CHECKING:
    from annotator.validate.ablate import Ablation, AblationTask


Settings = Callable[[RelationPairs], dict[str, Any]]
NO_PROMPT = "it has no prompt that asks for it"


def asked_for(relations: Sequence[RelationPairs]) -> list[RelationPairs]:
    """The valid relations that have a prompt."""
    return [one for one in relations if one.valid and one.relation.prompt]


def settings_of(of: Experiment, seed: int) -> Settings:
    """What enters a relation's accuracies: all relations that ask, for any may be a control."""
    asked = [(one.name, one.relation.prompt, of.settings_of(one)) for one in asked_for(of.pairs)]
    others = sha256(repr(sorted(asked)).encode()).hexdigest()
    return lambda pairs: {
        **of.settings_of(pairs),
        "prompt": pairs.relation.prompt,
        "others": others,
        "controls": "of the same number of heads",
        "seed": seed,
    }


def ablating(of: Experiment, seed: int) -> Compute:
    """Silences relations' heads."""

    def compute(relations: Sequence[RelationPairs]) -> Iterator[tuple[str, Shard]]:
        from annotator.validate.ablate import (
            ablate,
            most_heads,
            relation_heads,
            task_of,
            why_dropped,
        )

        model, module = of.matrices, of.module
        tasks = {one.name: task_of(one, of.vocabulary) for one in asked_for(of.pairs)}
        bases = _bases(of, tasks, settings_of(of, seed))
        heads = relation_heads(of.scores, most_heads(model.dims))
        for pairs in relations:
            name = pairs.name
            reason = why_dropped(tasks[name], bases[name], heads[name])
            if reason is None:
                watched = partial(_watched, of, name)
                rows = _rows(ablate(model, module, name, tasks, bases, heads, seed, watched))
            else:
                rows = [_row(name, "own", "", 0, (), bases[name], len(tasks[name].prompts))]
            table = pa.Table.from_pylist(rows, schema=EXPERIMENTS["ablate"])
            yield name, Shard(table, {"reason": reason})

    return compute


def _watched(of: Experiment, name: str, batches: Sequence[Any]) -> Iterable[Any]:
    label = f"Silencing, {name}"
    return track(batches, label, len(batches), unit="batch", show=of.progress)


def _bases(of: Experiment, tasks: Mapping[str, AblationTask], settings: Settings) -> dict[str, int]:
    """How many questions of each the whole model answers; a finished shard says it."""
    from annotator.validate.ablate import base_correct

    bases: dict[str, int] = {}
    for name, task in track(tasks.items(), "Asking", len(tasks), unit="relation", show=of.progress):
        shard = read_shard(of.catalog.folder, "ablate", name, settings(task.pairs))
        if shard is None:
            bases[name] = base_correct(of.matrices, of.module, task)
        else:
            rows = shard.table.to_pylist()
            own = (row for row in rows if (row["kind"], row["step"]) == ("own", 0))
            bases[name] = next(own)["correct"]
    return bases


def _rows(found: Ablation) -> list[dict[str, Any]]:
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
    return rows


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
