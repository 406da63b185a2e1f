"""`annotator descriptions`: what is said of heads. Its words are text, whatever they hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from annotator.cli.app import CATALOG, app
from annotator.cli.layout import new_console, new_table, plural
from annotator.judge.kinds import is_real
from annotator.records import BASELINE, Description
from annotator.terminal_text import visible

if TYPE_CHECKING:
    from annotator.judge.aggregate import Summary
    from annotator.judge.verdicts import Verdict


@app.command()
@CATALOG
@click.option("--llm", help="Only this one's; any part of a name that is clear.")
def descriptions(catalog: Path, llm: str | None) -> None:
    """List what language models said of heads.

    `rules` is no language model but a baseline: sentences from the signatures.
    """
    from annotator.catalog.read import open_catalog

    found = open_catalog(catalog).descriptions(llm=llm)
    if found:
        print_descriptions(found)
    else:
        click.echo(f"No head is described yet. Run: annotator describe {catalog} --llm ...")


def print_said(
    console: Console, description: Description, verdicts: Sequence[Verdict] = ()
) -> None:
    """One description, whole, and what people judged of it."""
    kind = description.category or description.status
    console.print(Text(f"{kind}, says {description.by}", style="bold"))
    table = Table.grid(padding=(0, 2))
    for name in ("inputs", "pattern", "reasoning", "problem"):
        if said := getattr(description, name):
            table.add_row(f"  {name}", Text(one_line(said)))
    for one in verdicts:
        apart = "" if is_real(one.item.kind) else f", {one.item.kind}"
        table.add_row(f"  judged{apart}", _judged(one.summary))
    console.print(table)
    console.print()


def _judged(summary: Summary) -> str:
    """What the answers come to, in the report's words; nobody accepts an abstention."""
    if not summary.answered:
        return "skipped by all raters who were asked"
    seen, accepted = summary.seen, summary.accepted
    whether = f"a pattern is seen by {seen.count} of {plural(seen.of, 'rater')}"
    return f"{whether}; {accepted.count} of {accepted.of} accept this" if accepted.of else whether


def print_descriptions(descriptions: Sequence[Description]) -> None:
    """A line for each description, and what they come to."""
    console = new_console()
    for who in dict.fromkeys(one.who for one in descriptions):
        said = [one for one in descriptions if one.who == who]
        console.print(Text(said[0].by, style="bold"))
        columns = (("head", "head"), ("inputs", ""), ("pattern", "targets"), ("category", ""))
        table = new_table(*columns)
        for one in said:
            pattern = one.pattern or one.problem or "-"
            cells = (one.inputs or "-", pattern, one.category or f"({one.status})")
            table.add_row(str(one.head), *(Text(one_line(cell)) for cell in cells))
        console.print(table)
        kinds = counted(Counter(one.status for one in said))
        spent = tokens_spent(*(sum(getattr(o, f"tokens_{w}") for o in said) for w in ("in", "out")))
        console.print(f"{plural(len(said), 'head')}: {kinds}; {spent}\n")


def one_voice(descriptions: Sequence[Description]) -> list[Description]:
    """Those of whoever described most heads; of the baseline where nobody else did."""
    counts = Counter(one.who for one in descriptions)
    who = max(counts, key=lambda one: (one.llm != BASELINE, counts[one]), default=None)
    return [one for one in descriptions if one.who == who]


def in_short(description: Description) -> str:
    """A description on one line."""
    if description.pattern is None:
        return f"({description.status})"
    return one_line(f"{description.inputs} → {description.pattern}")


def counted(kinds: Counter[str]) -> str:
    """How many there are of each kind."""
    return ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())


def tokens_spent(tokens_in: int, tokens_out: int) -> str:
    """What was paid."""
    return f"{tokens_in:,} tokens in, {tokens_out:,} out"


def one_line(said: str) -> str:
    """In one line, and without what would move the cursor or turn the text round."""
    return visible(" ".join(said.split()))
