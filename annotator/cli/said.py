"""What language models said, as it is printed. Their words are text, whatever they hold."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from annotator.cli.layout import new_console, new_table, plural
from annotator.judge.kinds import is_real
from annotator.records import BASELINE, Description, by_whom

if TYPE_CHECKING:
    from annotator.judge.sums import Summary
    from annotator.judge.verdicts import Verdict
    from annotator.pipeline.describe import Prompt, Told


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
        kinds = _counted(Counter(one.status for one in said))
        tokens_in, tokens_out = (
            sum(getattr(o, f"tokens_{w}") for o in said) for w in ("in", "out")
        )
        console.print(f"{plural(len(said), 'head')}: {kinds}; {_tokens(tokens_in, tokens_out)}\n")


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


def told_line(told: Told, llm: str) -> str:
    """What a description run came to."""
    kinds = _counted(told.kinds) or "no answer"
    by = f" by {by_whom(llm)}" if llm == BASELINE else ""
    return (
        f"{plural(told.heads, 'head')}{by}: {kinds}. {told.sent} asked now, "
        f"{told.before} had an answer; {_tokens(told.tokens_in, told.tokens_out)}."
    )


def prompt_text(prompt: Prompt, llm: str | None) -> str:
    """What would be sent, and how many tokens it is."""
    if llm == BASELINE:
        tokens = f"{llm} is no language model: it reads this and sends nothing"
    elif prompt.counted is not None:
        tokens = f"{prompt.counted:,} tokens, as {llm} counts them"
    else:
        why = f"{llm} could not be had to count them" if llm else "--llm has them counted"
        tokens = f"about {prompt.estimated:,} tokens, estimated from its length; {why}"
    schema = f"\n\n[schema]\n{json.dumps(prompt.schema)}" if prompt.schema else ""
    return f"[system]\n{prompt.system}\n\n[user]\n{prompt.prompt}{schema}\n\n[{tokens}]"


def _counted(kinds: Counter[str]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())


def _tokens(tokens_in: int, tokens_out: int) -> str:
    return f"{tokens_in:,} tokens in, {tokens_out:,} out"


def one_line(said: str) -> str:
    """In one line, and without what would move the cursor or turn the text round."""
    words = " ".join(said.split())
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in words)
