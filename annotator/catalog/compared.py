"""Tables of several models side by side; see `annotator.catalog.results` for the two kinds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from annotator.catalog.results import (
    NUMBER,
    TEXT,
    WHOLE,
    Column,
    Result,
    interval_shown,
    table_of,
    two_ends,
)

if TYPE_CHECKING:
    from annotator.validate.compare import Comparison


def comparison_results(comparison: Comparison) -> dict[str, Result]:
    """All tables of a comparison, by the name that their files have.

    compare: a row for each model. compare_groups: the same, heads that share their values.
    compare_relations, compare_depth: a row for each model and relation, or part of its depth.
    compare_overlap: a row for each model and two relations; shown are those that share heads.
    """
    return {
        "compare": models_result(comparison),
        "compare_groups": groups_result(comparison),
        "compare_relations": relations_result(comparison),
        "compare_depth": depth_result(comparison),
        "compare_overlap": overlap_result(comparison),
    }


def models_result(comparison: Comparison) -> Result:
    """Each model, and how many of its heads implement 0, 1, 2, ... relations."""
    models = comparison.models
    most = len(models[0].per_head) - 1
    sizes = [model.dims["n_layers"] * model.dims["n_heads"] for model in models]
    columns: list[Column] = [
        ("model", TEXT, [model.name for model in models]),
        ("heads", WHOLE, sizes),
        ("relation heads", WHOLE, [model.relation_heads for model in models]),
        *(
            (f"of {n}" if n < most else f"of {n} or more", WHOLE, [m.per_head[n] for m in models])
            for n in range(1, most + 1)
        ),
    ]
    return Result(table_of(columns), table_of(columns))


def groups_result(comparison: Comparison) -> Result:
    """Whether heads that share their values are alike."""
    models = comparison.models
    groups = [model.groups for model in models]
    ends = [one.interval if one else None for one in groups]
    start: list[Column] = [
        ("model", TEXT, [model.name for model in models]),
        ("pairs", WHOLE, [one.pairs if one else None for one in groups]),
        ("r in a group", NUMBER, [one.within if one else None for one in groups]),
        ("r of others", NUMBER, [one.between if one else None for one in groups]),
        ("difference", NUMBER, [one.within - one.between if one else None for one in groups]),
    ]
    end: list[Column] = [
        ("p", NUMBER, [one.p if one else None for one in groups]),
        ("missing because", TEXT, [model.no_groups for model in models]),
    ]
    shown: list[Column] = [("95 %", TEXT, [interval_shown(one) for one in ends])]
    last = end if any(model.no_groups for model in models) else end[:1]
    return Result(
        table_of([*start, *two_ends("difference", ends), *end]), table_of([*start, *shown, *last])
    )


def relations_result(comparison: Comparison) -> Result:
    """Each relation, and what implements it in each model."""
    rows = [
        (name, model.name, model.relations[name])
        for name in comparison.relations
        for model in comparison.models
    ]
    numbers: list[Column] = [
        ("relation", TEXT, [name for name, _, _ in rows]),
        ("model", TEXT, [model for _, model, _ in rows]),
        ("heads", WHOLE, [one.heads for _, _, one in rows]),
        ("depth", NUMBER, [one.depth for _, _, one in rows]),
        ("best", TEXT, [str(one.best) for _, _, one in rows]),
        ("phi", NUMBER, [one.phi for _, _, one in rows]),
    ]
    shown: list[Column] = [("relation", TEXT, list(comparison.relations))]
    for model in comparison.models:
        own = [model.relations[name] for name in comparison.relations]
        shown.append((f"heads in {model.name}", WHOLE, [one.heads for one in own]))
        shown.append(("the best", TEXT, [f"{one.best} {one.phi:.2f}" for one in own]))
    return Result(table_of(numbers), table_of(shown))


def depth_result(comparison: Comparison) -> Result:
    """Where in its depth each model has its relation heads, in equal parts from the first layer."""
    models = comparison.models
    parts = len(models[0].depths)
    rows = [(model, part) for model in models for part in range(parts)]
    numbers: list[Column] = [
        ("model", TEXT, [model.name for model, _ in rows]),
        ("from", NUMBER, [part / parts for _, part in rows]),
        ("to", NUMBER, [(part + 1) / parts for _, part in rows]),
        ("heads", WHOLE, [model.heads_at[part] for model, part in rows]),
        ("relation heads", WHOLE, [model.depths[part] for model, part in rows]),
    ]
    shown: list[Column] = [("relation heads at depth", TEXT, [model.name for model in models])]
    shown += [
        (f"to {(part + 1) / parts:g}", WHOLE, [model.depths[part] for model in models])
        for part in range(parts)
    ]
    return Result(table_of(numbers), table_of(shown))


def overlap_result(comparison: Comparison) -> Result:
    """How many heads two relations share; shown by the largest share in any model."""
    shared = comparison.shared
    names = [model.name for model in comparison.models]
    rows = [(pair, name) for pair in shared for name in names]
    numbers: list[Column] = [
        ("first", TEXT, [pair.first for pair, _ in rows]),
        ("second", TEXT, [pair.second for pair, _ in rows]),
        ("model", TEXT, [name for _, name in rows]),
        ("both", WHOLE, [pair.heads[name][0] for pair, name in rows]),
        ("either", WHOLE, [pair.heads[name][1] for pair, name in rows]),
        ("jaccard", NUMBER, [pair.jaccard(name) for pair, name in rows]),
    ]
    found = [pair for pair in shared if any(both for both, _ in pair.heads.values())]
    found.sort(key=lambda pair: -max(pair.jaccard(name) or 0 for name in names))
    shown: list[Column] = [
        ("relations that share heads", TEXT, [f"{one.first}, {one.second}" for one in found])
    ]
    shown += [
        (name, TEXT, ["{} of {}".format(*one.heads[name]) for one in found]) for name in names
    ]
    return Result(table_of(numbers), table_of(shown))
