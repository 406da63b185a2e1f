"""What the experiments in inference print: each table, and the published numbers beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from annotator.cli.layout import new_console, new_table

if TYPE_CHECKING:
    from annotator.pipeline.validate import Ablated, Correlated
    from annotator.validate.accuracies import Accuracies
    from annotator.validate.compare import Comparison, ModelHeads
    from annotator.validate.differences import Difference, Paired
    from annotator.validate.report import Correlation, Medians
    from annotator.validate.statistics import Interval

PAIRS_SHOWN = 10
RELATION, MODEL = 24, 18
"""Columns that a relation's name and a model's cells take."""
INTERVALS = "95 %: percentile bootstrap over heads, drawn within their layers."
CORRELATED = (
    "without, with: Pearson's r of static and dynamic scores over all heads and templates, without "
    f"and with the prompt's context. {INTERVALS} Published medians are of the paper's own pairs."
)
FORMS = (
    "natural: the source as it is written in a sentence; paper: without a leading space, after a "
    "space of its own."
)
VARIED = (
    "A variant's r, and its difference from that of the paper's score on the same heads and "
    f"prompts, with its interval. {INTERVALS} Medians over relations resample the heads of all at "
    "once."
)
ABLATED = (
    "accuracy: share of prompts answered by the whole model; heads: how many of the relation's, "
    "the strongest first, are silenced at the last position: the fewest that leave no right "
    "answer, else all; left: accuracy without them; random: without as many other heads, mean of "
    "the draws; controls: mean accuracy on other relations before and after silencing the same "
    "heads."
)
COMPARED = (
    "A relation head implements at least one of the relations. r: of two heads' relation scores, "
    "over the relations that all models share; p: how often heads dealt to groups at random differ "
    "as much; 95 %: layers resampled."
)


def print_correlate(found: Correlated) -> None:
    """Static against dynamic scores, a line for each relation."""
    console = new_console()
    console.print(Text(f"Static and dynamic scores of {found.model}\n", style="bold"))
    _print_correlations(console, found.rows)
    _print_medians(console, found.medians)
    _meaning(console, CORRELATED)
    if found.differences:
        _print_differences(console, found.differences)
    _reasons(console, found.absent)
    _print_files(console, found.files)


def print_multi_token(found: Correlated) -> None:
    """The same for sources of several tokens, a table for each form."""
    console = new_console()
    title = f"Static and dynamic scores of {found.model}, sources of several tokens\n"
    console.print(Text(title, style="bold"))
    for form in dict.fromkeys(row.form for row in found.rows):
        console.print(Text(f"{form} form"))
        _print_correlations(console, [row for row in found.rows if row.form == form])
    _print_medians(console, found.medians)
    _meaning(console, f"{CORRELATED} {FORMS}")
    _print_files(console, found.files)


def print_ablate(found: Ablated) -> None:
    """Accuracy with heads silenced, a line for each relation."""
    console = new_console()
    console.print(Text(f"Accuracy of {found.model} with heads silenced\n", style="bold"))
    numbers = ("prompts", "accuracy", "heads", "left", "random", "controls")
    table = new_table(("relation", "head"), *((name, "number") for name in numbers))
    measured = [row for row in found.rows if row.step is not None]
    for row in measured:
        table.add_row(row.relation, *_accuracies(row))
    if measured:
        console.print(table)
        console.print()
    _reasons(console, {row.relation: row.reason for row in found.rows if row.reason})
    _meaning(console, ABLATED)
    _print_files(console, found.files)


def print_compare(comparison: Comparison, files: Sequence[Path] = ()) -> None:
    """Several models' relation heads side by side."""
    console = new_console()
    count = len(comparison.relations)
    console.print(Text(f"Relation heads, over {count} relations\n", style="bold"))
    _print_models(console, comparison.models)
    _print_depths(console, comparison.models)
    _print_relations(console, comparison)
    _print_shared(console, comparison)
    _print_groups(console, comparison.models)
    _meaning(console, COMPARED)
    _print_files(console, files)


def _print_correlations(console: Console, rows: Sequence[Correlation]) -> None:
    pairs = "pairs" if any(row.form for row in rows) else "sources"
    numbers = ("k", pairs, "without", "95 %", "with", "95 %")
    table = new_table(("relation", "head"), *((name, "number") for name in numbers))
    defined = [row for row in rows if (row.without, row.with_context) != (None, None)]
    for row in defined:
        without = _number(row.without), _ends(row.without_interval)
        with_context = _number(row.with_context), _ends(row.with_interval)
        table.add_row(row.relation, str(row.k), str(row.sources), *without, *with_context)
    if defined:
        console.print(table)
        console.print()
    _reasons(console, {row.relation: row.reason for row in rows if row.reason})


def _print_medians(console: Console, rows: Sequence[Medians]) -> None:
    numbers = ("relations", "without", "with")
    table = new_table(("median r", "targets"), *((name, "number") for name in numbers))
    for row in rows:
        numbers = _number(row.without), _number(row.with_context)
        table.add_row(Text(row.of), str(row.relations), *numbers)
    console.print(table)
    console.print()


def _print_differences(console: Console, rows: Sequence[Difference]) -> None:
    names = ("without", "difference", "with", "difference")
    table = new_table(("variant", "head"), *((name, "number") for name in names))
    for row in rows:
        if row.relation is None:
            table.add_section()
        name = f"  {row.relation}" if row.relation else f"{row.variant}, median of {row.relations}"
        without = _number(row.without), _paired(row.without_difference)
        table.add_row(name, *without, _number(row.with_context), _paired(row.with_difference))
    console.print(table)
    console.print()
    _meaning(console, VARIED)


def _accuracies(row: Accuracies) -> Iterable[str]:
    controls = f"{_number(row.control_base, 2)} to {_number(row.control_mean, 2)}"
    yield str(row.prompts)
    yield _number(row.base, 2)
    yield str(row.step)
    yield _number(row.own, 2)
    yield _number(row.random_mean, 2)
    yield controls if row.controls else "-"


def _print_models(console: Console, models: Sequence[ModelHeads]) -> None:
    most = len(models[0].per_head) - 1
    several = [f"of {n}" for n in range(1, most)]
    names = ("heads", "relation heads", *several, f"of {most}+")
    table = new_table(("model", "targets"), *((name, "number") for name in names))
    for model in models:
        heads = model.dims["n_layers"] * model.dims["n_heads"]
        numbers = (heads, model.relation_heads, *model.per_head[1:])
        table.add_row(Text(model.name), *map(str, numbers))
    console.print(table)
    console.print()


def _print_depths(console: Console, models: Sequence[ModelHeads]) -> None:
    parts = len(models[0].depths)
    names = [f"≤{(part + 1) / parts:g}" for part in range(parts)]
    table = new_table(("at depth", "targets"), *((name, "number") for name in names))
    for model in models:
        table.add_row(Text(model.name), *(str(count) if count else "·" for count in model.depths))
    console.print(table)
    console.print()


def _print_relations(console: Console, comparison: Comparison) -> None:
    """How many heads implement each relation, and the best one."""
    for models in _side_by_side(console, comparison):
        table = new_table(("relation", "head"), *((model.name, "") for model in models))
        for name in comparison.relations:
            found = [model.relations[name] for model in models]
            table.add_row(name, *(f"{one.heads}  {one.best} {one.phi:.2f}" for one in found))
        console.print(table)
        console.print()


def _print_shared(console: Console, comparison: Comparison) -> None:
    """The relations that share most of their heads in some model."""
    names = [model.name for model in comparison.models]
    found = [one for one in comparison.shared if any(both for both, _ in one.heads.values())]
    found.sort(key=lambda pair: -max(pair.jaccard(name) or 0 for name in names))
    for models in _side_by_side(console, comparison) if found else ():
        columns = [(model.name, "") for model in models]
        table = new_table(("relations that share heads", ""), *columns)
        for pair in found[:PAIRS_SHOWN]:
            counts = [pair.heads[model.name] for model in models]
            cells = [f"{both} of {either}" for both, either in counts]
            table.add_row(f"{pair.first}, {pair.second}", *cells)
        console.print(table)
        console.print()
    if len(found) > PAIRS_SHOWN:
        console.print(f"{len(found) - PAIRS_SHOWN} more pairs of relations share heads.\n")


def _side_by_side(console: Console, comparison: Comparison) -> Iterable[Sequence[ModelHeads]]:
    """The models, as many at a time as fit beside each other."""
    fitting = max(1, (console.width - RELATION) // MODEL)
    for first in range(0, len(comparison.models), fitting):
        yield comparison.models[first : first + fitting]


def _print_groups(console: Console, models: Sequence[ModelHeads]) -> None:
    there = [(model.name, model.groups) for model in models if model.groups is not None]
    names = ("r in a KV group", "r of others", "difference, 95 %", "p")
    table = new_table(("model", "targets"), *((name, "number") for name in names))
    for name, groups in there:
        ends = f"{groups.within - groups.between:+.2f} ({_ends(groups.interval)})"
        means = _number(groups.within, 2), _number(groups.between, 2)
        table.add_row(Text(name), *means, ends, f"{groups.p:.2g}")
    if there:
        console.print(table)
        console.print()
    _reasons(console, {m.name: f"KV groups: {m.no_groups}" for m in models if m.no_groups})


def _reasons(console: Console, reasons: Mapping[str, str | None]) -> None:
    """A line for each thing that is missing, and why."""
    for name, reason in reasons.items():
        console.print(Text(f"{name}: {reason}."))
    if reasons:
        console.print()


def _meaning(console: Console, text: str) -> None:
    console.print(Text(f"{text}\n"))


def _print_files(console: Console, files: Sequence[Path]) -> None:
    for folder in dict.fromkeys(path.parent for path in files):
        names = ", ".join(path.name for path in files if path.parent == folder)
        console.print(Text(f"Written to {folder}: {names}"), soft_wrap=True)


def _number(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _ends(ends: Interval | None) -> str:
    return "-" if ends is None else f"{ends[0]:.2f}, {ends[1]:.2f}"


def _paired(paired: Paired | None) -> str:
    if paired is None:
        return "-"
    difference, low, high = paired
    return f"{difference:+.2f} ({low:+.2f}, {high:+.2f})".replace("0.", ".")
