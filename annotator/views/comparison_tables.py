"""Tables of several models side by side; see `annotator.records.table`.

Where readers have a row for each relation, and models beside each other, programs have a row for
each of both: the columns of the two kinds then have lengths of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from annotator.records.table import INTERVAL, NUMBER, REASON, TEXT, WHOLE, Column, Table

if TYPE_CHECKING:
    from annotator.validate.compare_models import Comparison


def comparison_tables(comparison: Comparison) -> list[Table]:
    """All tables of a comparison.

    compare: a row for each model. compare_groups: the same, heads that share their values.
    compare_relations, compare_depth: a row for each model and relation, or part of its depth.
    compare_overlap: a row for each model and two relations; shown are those that share heads.
    """
    found = {
        "compare": _models(comparison),
        "compare_groups": _groups(comparison),
        "compare_relations": _relations(comparison),
        "compare_depth": _depth(comparison),
        "compare_overlap": _overlap(comparison),
    }
    return [Table(name, name, "", columns) for name, columns in found.items()]


def _models(comparison: Comparison) -> list[Column]:
    """Each model, and how many of its heads implement 0, 1, 2, ... relations."""
    models = comparison.models
    most = len(models[0].per_head) - 1
    sizes = [model.dims["n_layers"] * model.dims["n_heads"] for model in models]
    counts = {f"of {n}" if n < most else f"of {n} or more": n for n in range(1, most + 1)}
    return [
        _both(TEXT, "model", [model.name for model in models]),
        _both(WHOLE, "heads", sizes),
        _both(WHOLE, "relation heads", [model.relation_heads for model in models]),
        *(_both(WHOLE, name, [m.per_head[n] for m in models]) for name, n in counts.items()),
    ]


def _groups(comparison: Comparison) -> list[Column]:
    """Whether heads that share their values are alike."""
    models = comparison.models
    groups = [model.groups for model in models]
    differences = [one.within - one.between if one else None for one in groups]
    ends = [one.interval if one else None for one in groups]
    return [
        _both(TEXT, "model", [model.name for model in models]),
        _both(WHOLE, "pairs", [one.pairs if one else None for one in groups]),
        _both(NUMBER, "r in a group", [one.within if one else None for one in groups]),
        _both(NUMBER, "r of others", [one.between if one else None for one in groups]),
        _both(NUMBER, "difference", differences),
        Column(INTERVAL, ends, "difference", "95 %"),
        _both(NUMBER, "p", [one.p if one else None for one in groups]),
        _both(REASON, "missing because", [model.no_groups for model in models]),
    ]


def _relations(comparison: Comparison) -> list[Column]:
    """Each relation, and what implements it in each model."""
    rows = [
        (name, model.name, model.relations[name])
        for name in comparison.relations
        for model in comparison.models
    ]
    columns = [
        Column(TEXT, [name for name, _, _ in rows], "relation"),
        Column(TEXT, [model for _, model, _ in rows], "model"),
        Column(WHOLE, [one.heads for _, _, one in rows], "heads"),
        Column(NUMBER, [one.depth for _, _, one in rows], "depth"),
        Column(TEXT, [str(one.best) for _, _, one in rows], "best"),
        Column(NUMBER, [one.phi for _, _, one in rows], "phi"),
        Column(TEXT, list(comparison.relations), label="relation"),
    ]
    for model in comparison.models:
        own = [model.relations[name] for name in comparison.relations]
        best = [f"{one.best} {one.phi:.2f}" for one in own]
        columns.append(Column(WHOLE, [o.heads for o in own], label=f"heads in {model.name}"))
        columns.append(Column(TEXT, best, label="the best"))
    return columns


def _depth(comparison: Comparison) -> list[Column]:
    """Where in its depth each model has its relation heads, in equal parts from the first layer."""
    models = comparison.models
    parts = len(models[0].depths)
    rows = [(model, part) for model in models for part in range(parts)]
    heads = [model.depths[part] for model, part in rows]
    shown = [
        Column(WHOLE, [m.depths[part] for m in models], label=f"to {(part + 1) / parts:g}")
        for part in range(parts)
    ]
    return [
        Column(TEXT, [model.name for model, _ in rows], "model"),
        Column(NUMBER, [part / parts for _, part in rows], "from"),
        Column(NUMBER, [(part + 1) / parts for _, part in rows], "to"),
        Column(WHOLE, [model.heads_at[part] for model, part in rows], "heads"),
        Column(WHOLE, heads, "relation heads"),
        Column(TEXT, [model.name for model in models], label="relation heads at depth"),
        *shown,
    ]


def _overlap(comparison: Comparison) -> list[Column]:
    """How many heads two relations share; shown by the largest share in any model."""
    shared = comparison.shared
    names = [model.name for model in comparison.models]
    rows = [(pair, name) for pair in shared for name in names]
    found = [pair for pair in shared if any(both for both, _ in pair.heads.values())]
    found.sort(key=lambda pair: -max(pair.jaccard(name) or 0 for name in names))
    pairs = [f"{one.first}, {one.second}" for one in found]
    return [
        Column(TEXT, [pair.first for pair, _ in rows], "first"),
        Column(TEXT, [pair.second for pair, _ in rows], "second"),
        Column(TEXT, [name for _, name in rows], "model"),
        Column(WHOLE, [pair.heads[name][0] for pair, name in rows], "both"),
        Column(WHOLE, [pair.heads[name][1] for pair, name in rows], "either"),
        Column(NUMBER, [pair.jaccard(name) for pair, name in rows], "jaccard"),
        Column(TEXT, pairs, label="relations that share heads"),
        *(
            Column(TEXT, ["{} of {}".format(*one.heads[name]) for one in found], label=name)
            for name in names
        ),
    ]


def _both(kind: str, name: str, values: Sequence[object]) -> Column:
    """A column that is called the same wherever it stands."""
    return Column(kind, values, name, name)
