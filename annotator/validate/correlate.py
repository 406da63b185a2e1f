"""Static against dynamic scores: every head, in the paper's four templates.

The paper's Pearson's r is between static relation scores and dynamic ones over all heads and
templates (Elhelo & Geva 2024, section 4.2).

A run that goes on has other prompts in a batch than one that was never stopped; in float32 that
changes last bits, and so a head at the very edge of its k largest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from annotator.records import RelationPairs
from annotator.records.figure import Figure
from annotator.records.table import Table
from annotator.validate.experiment import (
    LAYER_AND_HEAD,
    STATIC,
    Experiment,
    ExperimentRows,
    Field,
    Options,
    RelationSettings,
    Shard,
    head_rows,
    stacked,
)

if TYPE_CHECKING:
    from annotator.tokens.vocabulary import Vocabulary
    from annotator.validate.dynamic_scores import Dynamic, Question
    from annotator.validate.inputs import ExperimentInputs

NO_TOKEN_IN_PROMPT = "no prompt has its source as one token"
TITLE = "Static against dynamic scores"
ABOUT = (
    "Pearson's r over heads and four prompt templates, between the score from the weights and the "
    "same test on what the head writes at the last position of a prompt: without context, "
    "attention is forced onto the source; with context, it is as it is. 95 %: intervals from "
    "resampled heads, layer by layer."
)
MEDIANS = "Medians over relations, beside the published ones"
PUBLISHED = (
    ("GPT-2 xl, published", 18, 0.945, 0.736),
    ("Pythia 6.9B, published", 15, 0.91, 0.68),
    ("Pythia 12B, published", 15, 0.89, 0.71),
    ("Llama-3.1-8B, published", 19, 0.82, 0.75),
    ("Llama-3.1-70B, published", 19, 0.85, 0.80),
)
"""Medians of r without and with context over so many relations (Elhelo & Geva 2024; read off its
figures: docs/definitions.md, "Published numbers")."""
DYNAMIC = {
    "without": Field("float64", "dynamic score with the attention forced onto the source"),
    "with_context": Field("float64", "dynamic score with the attention as it is"),
}


def settings(lab: ExperimentInputs, _: Options) -> RelationSettings:
    """The templates, beside what every experiment has."""
    from annotator.validate.prompts import TEMPLATES

    return lambda pairs: {**lab.settings_of(pairs), "templates": list(TEMPLATES)}


def compute(
    lab: ExperimentInputs, relations: Sequence[RelationPairs], _: Options
) -> Iterator[tuple[str, Shard]]:
    """Dynamic scores of all heads; a source that many relations have is run once."""
    from annotator.validate.dynamic_scores import dynamic_scores

    questions = [question_of(lab.vocabulary, one) for one in relations]
    for pairs, found in zip(relations, dynamic_scores(lab.inference, questions), strict=True):
        yield pairs.name, _shard(lab, pairs, found)


def question_of(vocabulary: Vocabulary, pairs: RelationPairs) -> Question:
    """A relation's sources in the four templates; those that a tokenizer cuts otherwise are out."""
    from annotator.validate.dynamic_scores import Case, Question
    from annotator.validate.prompts import TEMPLATES, SourcePrompt, prompt_of

    dropped: Counter[str] = Counter()
    templates: list[list[Case]] = []
    for template in TEMPLATES:
        cases: list[Case] = []
        for source, targets in pairs.targets.items():
            prompt = prompt_of(vocabulary, template, [source])
            if isinstance(prompt, SourcePrompt):
                cases.append(Case(prompt, targets))
            else:
                dropped[prompt] += 1
        templates.append(cases)
    return Question(pairs.name, pairs.k, templates, dict(dropped))


def _shard(lab: ExperimentInputs, pairs: RelationPairs, found: Dynamic) -> Shard:
    rows = [
        head_rows(both_sides(lab, found, at), relation=pairs.name, template=at)
        for at, prompts in enumerate(found.prompts)
        if prompts
    ]
    facts = {
        "sources": len(pairs.targets),
        "prompts": list(found.prompts),
        "dropped": dict(found.dropped),
        "reason": None if rows else NO_TOKEN_IN_PROMPT,
    }
    return Shard(stacked(rows), facts)


def both_sides(lab: ExperimentInputs, found: Dynamic, at: int) -> dict[str, Any]:
    """All heads' static scores on a relation, and their dynamic ones in a template."""
    dynamic = {"without": found.without[at], "with_context": found.with_context[at]}
    return {"static": lab.static(found.relation), **dynamic}


def tables(kept: ExperimentRows) -> list[Table]:
    """R by relation, and the medians beside the published ones."""
    from annotator.validate.correlation_tables import (
        correlation_table,
        correlations,
        medians,
        medians_table,
    )

    rows = correlations(kept.rows, kept.facts)
    return [
        correlation_table(rows, "correlate", TITLE, ABOUT),
        medians_table(medians(rows, kept.model, PUBLISHED), "correlate-medians", MEDIANS),
    ]


def figures(kept: ExperimentRows, tables: Sequence[Table]) -> list[Figure]:
    """A point for each head and template."""
    from annotator.validate.correlation_tables import scatter

    return scatter("correlate", kept.rows, tables[0])


EXPERIMENT = Experiment(
    name="correlate",
    heading="Static and dynamic scores of {model}",
    help="""Correlate static scores with what heads write in prompts.

    For each relation: Pearson's r over all heads and four templates, with the attention of the
    prompt and with all of it on the source. One forward pass of a prompt serves all heads.

    A run that was stopped goes on at its first unfinished relation: run the same command again.
    """,
    label="Correlating",
    fields={
        **LAYER_AND_HEAD,
        "template": Field("int16", "which of the four prompts, from 0"),
        **STATIC,
        **DYNAMIC,
    },
    settings=settings,
    compute=compute,
    tables=tables,
    figures=figures,
)
