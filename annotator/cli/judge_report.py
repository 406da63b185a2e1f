"""`annotator judge report`: a study's numbers, beside the published ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import click
from rich.table import Table
from rich.text import Text

from annotator.cli.app import CATALOG
from annotator.cli.judge import judge
from annotator.cli.layout import new_console, new_table, plural
from annotator.judge.aggregate import OUTCOME_WORDS, SHARE_WORDS, Share, Summary
from annotator.judge.report import PUBLISHED_STUDY, Report
from annotator.records import PRECISIONS, by_whom

_ACCEPTING = ("accepted", "strict")
_PARTS = ("matched", "invented_of_none", *_ACCEPTING)
MEANING = (
    "matched: rightly described or rightly abstained; invented: described, of those where no "
    "pattern is seen; accepted: correct, be it too general or too specific, and strict: accurate, "
    "both of those where a pattern is seen and described. 95 %: Wilson's intervals, which take "
    "answers as independent. Question 1 is asked here before the description is shown, which the "
    "published study did not."
)


@judge.command()
@CATALOG
@click.option("--llm", help="Only of this one's descriptions; any part of a name that is clear.")
def report(catalog: Path, llm: str | None) -> None:
    """Sum up, beside the published figures."""
    from annotator.pipeline.judge_report import study_report as run

    print_report(*run(catalog, llm))


def print_report(report: Report, describers: Sequence[str]) -> None:
    """A study's numbers, each with what it is a share of, and the published ones beside."""
    console = new_console()
    total = report.total
    spent = "time spent is not known"
    if total.seconds is not None:
        spent = f"{total.seconds:.0f} seconds on one (median)"
    console.print(Text(f"Descriptions by {', '.join(map(by_whom, describers))}."))
    console.print(
        f"{plural(total.answered, 'answer')} on {total.items} of {plural(report.items, 'item')} "
        f"by {plural(len(report.raters), 'rater')}; {total.skipped} skipped; {spent}\n"
    )
    table = new_table(("", ""), ("share", "number"), ("95 %", "number"), ("answers", "number"))
    _section(
        table,
        "Question 1: is there a pattern, and was it described?",
        total.outcomes,
        OUTCOME_WORDS,
    )
    _section(table, "Question 2: how well, where there is one?", total.precisions, PRECISIONS)
    _section(table, "Question 3: of what category is it?", total.categories, {})
    together = (*_ACCEPTING, "accepted_of_all", "strict_of_all", "same_category")
    _section(table, "Together", _shares(total, together), {})
    pairs = {
        f"question {number}, on {plural(one.items, 'item')}": one.pairs
        for number, one in enumerate(total.agreement.values(), start=1)
    }
    _section(table, "Agreement of pairs of raters", pairs, {})
    console.print(table)
    console.print()
    _print_parts(report)
    _print_published(total)


def _shares(summary: Summary, names: Sequence[str]) -> dict[str, Share]:
    return {SHARE_WORDS[name][0]: getattr(summary, name) for name in names}


def _section(
    table: Table, title: str, shares: Mapping[str, Share], names: Mapping[str, str]
) -> None:
    table.add_row(Text(title, style="bold"), "", "", "")
    for name, share in shares.items():
        table.add_row(f"  {names.get(name, name)}", *_cells(share))
    table.add_section()


def _cells(share: Share) -> tuple[str, str, str]:
    if share.share is None or share.interval is None:
        return "-", "-", "none"
    low, high = share.interval
    return f"{share.share:.1%}", f"{low:.0%} to {high:.0%}", f"{share.count} of {share.of}"


def _print_parts(report: Report) -> None:
    """By quarter of the layers and by rater; then what is not real, kind by kind."""
    console = new_console()
    numbers = ((SHARE_WORDS[name][0], "number") for name in _PARTS)
    table = new_table(("", "head"), ("answers", "number"), *numbers)
    parts = {f"layers {one.first} to {one.last}": one.summary for one in report.quarters}
    apart = {f"not among these: {kind}": one for kind, one in report.others.items()}
    for name, one in [*parts.items(), *report.raters.items(), *apart.items()]:
        shares = (_cells(share)[0] for share in _shares(one, _PARTS).values())
        table.add_row(Text(name), str(one.answered), *shares)
    console.print(table)
    console.print()


def _print_published(total: Summary) -> None:
    console = new_console()
    table = new_table(("", ""), ("here", "number"), ("published", "number"), ("on", "targets"))
    for one in PUBLISHED_STUDY:
        published = f"about {one.share:.0%}" if one.about else f"{one.share:.1%}"
        [(name, share)] = _shares(total, [one.figure]).items()
        table.add_row(name, _cells(share)[0], published, one.of)
    console.print(table)
    console.print(f"\n{MEANING}")
