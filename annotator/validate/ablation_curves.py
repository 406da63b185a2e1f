"""Does a relation break without the heads that implement it? (Elhelo & Geva 2024, section 5).

The heads of highest relation score are ablated one after the other while the model is asked for
the relation's targets. Beside it, so that a loss means something: as many other heads, drawn at
random, and the same heads while another relation is asked for.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from torch import nn

from annotator.records import HeadId, RelationPairs, RelationScore
from annotator.tokens.relation_files import PLACEHOLDER
from annotator.tokens.vocabulary import Vocabulary
from annotator.validate.ablation_accuracy import CONTROL, OWN, RANDOM, Measured
from annotator.validate.zero_ablation import Watched, count_right
from annotator.weights.dims import Dims
from annotator.weights.model import Model

LEAST_BASE = 0.1
RANDOM_DRAWS, CONTROLS = 5, 5
MOST_SHARED, MOST_APART = 0.15, 0.2
_ROUNDING = 1e-9  # .9 and .7 are .2 apart
SIZES = ((300, 30), (500, 50), (1000, 100), (1500, 150))
"""Heads of a model, heads zero-ablated at most in models of fewer."""
MOST_HEADS = 250
"""Heads ablated at most in larger models."""


@dataclass(frozen=True)
class AblationTask:
    """A relation as questions.

    Attributes:
        pairs: the relation's pairs that count for the model.
        prompts: a tokenised question for each distinct source, in the order of `pairs.targets`.
    """

    pairs: RelationPairs
    prompts: tuple[tuple[int, ...], ...]

    @property
    def name(self) -> str:
        """The relation's name."""
        return self.pairs.name

    @cached_property
    def answers(self) -> tuple[frozenset[int], ...]:
        """The targets of each question; any of them is right."""
        return tuple(self.pairs.targets.values())


def task_of(pairs: RelationPairs, vocabulary: Vocabulary) -> AblationTask:
    """The questions of a relation that has a prompt."""
    asks = pairs.relation.prompt
    assert asks is not None
    prompts: list[tuple[int, ...]] = []
    for source in pairs.targets:
        word = (vocabulary.text(source) or "").removeprefix(" ")
        prompts.append(tuple(vocabulary.prompt(asks.replace(PLACEHOLDER, word))))
    return AblationTask(pairs, tuple(prompts))


def base_correct(model: Model, module: nn.Module, task: AblationTask) -> int:
    """How many of a relation's questions the whole model answers.

    Raises:
        NotRun: see `count_right`.
    """
    return count_right(model, module, task.prompts, task.answers, [()])[0]


def why_dropped(task: AblationTask, correct: int, heads: Sequence[HeadId]) -> str | None:
    """Why a relation cannot be ablated, if it cannot."""
    base = correct / len(task.prompts)
    if base < LEAST_BASE:
        return f"the model answers {base:.1%} of its prompts, fewer than {LEAST_BASE:.0%}"
    return None if heads else "no head scores above 0 on it"


def most_heads(dims: Dims) -> int:
    """How many heads are zero-ablated at most, by how many a model has."""
    count = dims.n_layers * dims.n_heads
    return next((most for size, most in SIZES if count < size), MOST_HEADS)


def relation_heads(scores: Iterable[RelationScore], most: int) -> dict[str, tuple[HeadId, ...]]:
    """The heads of highest phi above 0 of each relation, highest first.

    Of equal ones the higher layer comes first, and in it the higher head.
    """
    by_relation: dict[str, list[RelationScore]] = {}
    for score in scores:
        by_relation.setdefault(score.relation, [])
        if score.phi > 0:
            by_relation[score.relation].append(score)
    ordered = {
        name: sorted(found, key=lambda score: (score.phi, score.head), reverse=True)
        for name, found in by_relation.items()
    }
    return {name: tuple(s.head for s in found[:most]) for name, found in ordered.items()}


def controls_of(
    name: str, bases: Mapping[str, float], heads: Mapping[str, Sequence[HeadId]], seed: int = 0
) -> list[str]:
    """The other relations on which a relation's heads are zero-ablated, five at most.

    Few of the relation's m heads may be among the m highest of the other.

    Args:
        name: the relation.
        bases: accuracy of the whole model, by relation; those below .1 are no controls, since
            they have nothing to lose.
        heads: see `relation_heads`.
        seed: of the order in which candidates are taken.
    """
    own = set(heads[name])
    order = sorted(set(bases) - {name})
    random.Random(f"{seed} controls {name}").shuffle(order)
    fitting = [
        other
        for other in order
        if bases[other] >= LEAST_BASE
        and abs(bases[other] - bases[name]) <= MOST_APART + _ROUNDING
        and len(own & set(heads.get(other, ())[: len(own)])) / len(own) < MOST_SHARED
    ]
    return fitting[:CONTROLS]


def random_heads(
    dims: Dims, name: str, heads: Sequence[HeadId], count: int, seed: int = 0
) -> list[tuple[HeadId, ...]]:
    """Five draws of so many heads outside a relation's own; none where there are not so many."""
    every = [HeadId(layer, head) for layer in range(dims.n_layers) for head in range(dims.n_heads)]
    others = sorted(set(every) - set(heads))
    draws = RANDOM_DRAWS if count <= len(others) else 0
    draw = random.Random(f"{seed} random {name}")
    return [tuple(draw.sample(others, count)) for _ in range(draws)]


def ablate(
    model: Model,
    module: nn.Module,
    name: str,
    tasks: Mapping[str, AblationTask],
    bases: Mapping[str, int],
    heads: Mapping[str, Sequence[HeadId]],
    seed: int = 0,
    watched: Watched = iter,
) -> list[Measured]:
    """Zero-ablate a relation's heads, one more at each step, and what it is compared with.

    All but the relation's own curve is measured at its first step of no right answer, or else at
    its last one.

    Args:
        model: the checkpoint.
        module: what `annotator.weights.full_module.module_of` made of it.
        name: the relation; `why_dropped` must have no reason against it.
        tasks: the questions of this relation and of those that may be its controls.
        bases: how many of the questions of each the whole model answers, see `base_correct`.
        heads: the heads of each, see `relation_heads`.
        seed: of the random draws and of the order of controls.
        watched: see `count_right`.

    Raises:
        NotRun: see `count_right`.
    """
    task, own = tasks[name], tuple(heads[name])
    steps = [own[:step] for step in range(len(own) + 1)]
    correct = count_right(model, module, task.prompts, task.answers, steps, watched)
    rows = [
        Measured(OWN, "", at, own[max(at - 1, 0) : at], right, len(task.prompts))
        for at, right in enumerate(correct)
    ]
    step = correct.index(0) if 0 in correct else len(own)
    drawn = random_heads(model.dims, name, own, step, seed)
    counts = count_right(model, module, task.prompts, task.answers, drawn, watched)
    for at, (draw, right) in enumerate(zip(drawn, counts, strict=True)):
        rows.append(Measured(RANDOM, str(at), step, draw, right, len(task.prompts)))
    accuracies = {other: bases[other] / len(tasks[other].prompts) for other in tasks}
    for other in controls_of(name, accuracies, heads, seed):
        asked, top = tasks[other], own[:step]
        (right,) = count_right(model, module, asked.prompts, asked.answers, [top], watched)
        rows.append(Measured(CONTROL, other, 0, (), bases[other], len(asked.prompts)))
        rows.append(Measured(CONTROL, other, step, top, right, len(asked.prompts)))
    return rows
