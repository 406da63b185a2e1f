"""Variants of the static score beside the paper's: would it be better with what it leaves out?

The dynamic side, the pairs and the heads are always the same, so that a difference of two r is
paired: both are read on the same resamples of heads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from annotator.records import RelationPairs
from annotator.records.table import NUMBER, PAIRED, TEXT, WHOLE, Column, Table
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
    from annotator.validate.inputs import ExperimentInputs
    from annotator.validate.variant_differences import Difference, Paired

ABSENT = "absent"
TITLE = "Variants of the static score"
ABOUT = "The r of static scores that are computed otherwise, and how it differs."
NOTE = (
    "A variant's r, and its difference from that of the paper's score on the same heads and "
    "prompts, with its interval. 95 %: percentile bootstrap over heads, drawn within their layers. "
    "Medians over relations resample the heads of all at once."
)


def settings(lab: ExperimentInputs, _: Options) -> RelationSettings:
    """The variants, beside what every experiment has."""
    from annotator.validate.variant_scores import VARIANTS

    return lambda pairs: {**lab.settings_of(pairs), "variants": dict(VARIANTS)}


def compute(
    lab: ExperimentInputs, relations: Sequence[RelationPairs], _: Options
) -> Iterator[tuple[str, Shard]]:
    """All relations are scored together, a variant after the other; then come their shards."""
    import torch

    from annotator.validate.variant_scores import VARIANTS, absent_variants, variant_scores

    model, module, how = lab.matrices, lab.module, lab.map_settings
    absent = absent_variants(model, module, how)
    found: dict[str, list[dict[str, Any]]] = {one.name: [] for one in relations}
    for variant in (name for name in VARIANTS if name not in absent):
        layers = variant_scores(model, module, relations, how, variant, lab.usable)
        label, count = f"Scoring with the {variant}", model.dims.n_layers
        scored = [scores for _, scores in lab.track(layers, label, count, unit="layer")]
        for name, rows in found.items():
            static = torch.stack([scores[name] for scores in scored])
            rows.append(head_rows({"static": static}, relation=name, variant=variant))
    for name, rows in found.items():
        yield name, Shard(stacked(rows), {ABSENT: absent})


def tables(kept: ExperimentRows) -> list[Table]:
    """Every variant against the paper's score."""
    from annotator.validate.variant_differences import differences

    assert kept.beside is not None
    found = difference_table(differences(kept.beside, kept.rows))
    absent = next((own.get(ABSENT, {}) for own in kept.facts.values()), {})
    return [replace(found, reasons=absent)]


def difference_table(rows: Sequence[Difference]) -> Table:
    """A row for each variant and relation; rows without a relation are medians."""
    medians = frozenset(at for at, row in enumerate(rows) if row.relation is None)
    shown = [row.relation or f"median of {row.relations}" for row in rows]
    named = [
        f"  {row.relation}" if row.relation else f"{row.variant}, median of {row.relations}"
        for row in rows
    ]
    columns = [
        Column(TEXT, [row.variant for row in rows], "variant", "variant"),
        Column(TEXT, [row.relation for row in rows], "relation"),
        Column(TEXT, shown, label="relation"),
        Column(TEXT, named, printed="variant", style="head"),
        Column(WHOLE, [row.relations for row in rows], "relations"),
        *_side("without", "without", [(r.without, r.without_difference) for r in rows]),
        *_side("with_context", "with", [(r.with_context, r.with_difference) for r in rows]),
    ]
    return Table("variants", TITLE, ABOUT, columns, NOTE, sections=medians, lead=medians)


def _side(
    name: str, printed: str, values: Sequence[tuple[float | None, Paired | None]]
) -> list[Column]:
    label, paired = f"r {name.replace('_', ' ')}", [paired for _, paired in values]
    return [
        Column(NUMBER, [r for r, _ in values], name, label, printed),
        Column(PAIRED, paired, f"{name}_difference", "minus the paper's", "difference", digits=2),
    ]


EXPERIMENT = Experiment(
    name="variants",
    heading="Variants of the static scores of {model}",
    help="Also compare four variants of the static score with it.",
    label="Scoring variants",
    fields={
        "variant": Field("string", "what the static score had more, or in place"),
        **LAYER_AND_HEAD,
        **STATIC,
    },
    settings=settings,
    compute=compute,
    tables=tables,
    beside="correlate",
)
