"""What the commands print, laid out for the terminal's width (100 columns where there is none)."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from annotator.cli.layout import (
    SCORE_COLUMNS,
    new_console,
    new_table,
    number_shown,
    score_cells,
    tokens_shown,
)
from annotator.cli.said import in_short, one_voice
from annotator.records import (
    Description,
    HeadId,
    HeadMap,
    HeadSummary,
    Hit,
    RelationScore,
    RowView,
    Signatures,
)

if TYPE_CHECKING:
    from annotator.catalog.read import Catalog
    from annotator.pipeline.families import FamilyRow
    from annotator.weights.proof import Finding

TELLING_ROWS = 5
SAID_WIDTH = 24
"""Columns that are left for what is said of a head; with fewer it is left out."""


def print_telling(heads: Sequence[HeadMap]) -> None:
    """Heads with the first rows of their mappings."""
    console = new_console()
    console.print("The source tokens each head responds to most, and the tokens it then promotes;")
    console.print("read from the weights alone. ␣ is a space.\n")
    table = new_table(("head", "head"), ("source", ""), ("promotes", "targets"))
    for head in heads:
        for rank, mapping in enumerate(head.mappings[:TELLING_ROWS]):
            name = Text(str(head.head)) if rank == 0 else ""
            table.add_row(name, Text(mapping.source.text), tokens_shown(mapping.targets))
        table.add_section()
    console.print(table)


def print_signatures(heads: Sequence[HeadSummary], said: Sequence[Description] = ()) -> None:
    """A line of numbers for each head."""
    names = (*Signatures.names(), "telling")
    rows = {
        one.head: [number_shown(getattr(one.signatures, name)) for name in names] for one in heads
    }
    _print_heads([(name, "number") for name in names], rows, said)


def print_scores(scores: Sequence[RelationScore], said: Sequence[Description] = ()) -> None:
    """A line for each head and how it scores on one relation."""
    rows = {one.head: score_cells(one) for one in scores}
    _print_heads(SCORE_COLUMNS, rows, said)


def _print_heads(
    columns: Sequence[tuple[str, str]],
    rows: Mapping[HeadId, Sequence[str]],
    said: Sequence[Description],
) -> None:
    """A line for each head, with what is said of it where the terminal has room for that."""
    console = new_console()
    numbers = new_table(("head", "head"), *columns)
    for head, cells in rows.items():
        numbers.add_row(str(head), *cells)
    said = one_voice(said)
    room = console.width - console.measure(numbers).maximum - 2  # between columns
    if not said or room < SAID_WIDTH:
        console.print(numbers)
        return
    by_head = {one.head: in_short(one) for one in said}
    table = new_table(("head", "head"), *columns, (_cut(f"by {said[0].by}", room).plain, ""))
    for head, cells in rows.items():
        table.add_row(str(head), *cells, _cut(by_head.get(head, "-"), room))
    console.print(table)


def _cut(line: str, width: int) -> Text:
    text = Text(line)
    text.truncate(width, overflow="ellipsis")
    return text


def print_row(view: RowView) -> None:
    """One row of a head's map."""
    console = new_console()
    console.print(Text(f"{view.head} on {view.source.text}", style="bold"))
    console.print(f"sigma {number_shown(view.sigma)}; {view.sigma_rank:,} sources are more salient")
    console.print()
    table = new_table(
        ("promotes", ""), ("logit", "number"), ("suppresses", ""), ("logit", "number")
    )
    for up, down in zip(view.top, view.bottom, strict=True):
        table.add_row(
            Text(up.token.text),
            number_shown(up.logit),
            Text(down.token.text),
            number_shown(down.logit),
        )
    console.print(table)


def print_hits(hits: Sequence[Hit], of: int) -> None:
    """Heads by the rank of a target."""
    console = new_console()
    table = new_table(("head", "head"), ("rank", "number"), ("logit", "number"))
    for hit in hits:
        table.add_row(str(hit.head), str(hit.rank), number_shown(hit.logit))
    console.print(table)
    console.print(f"{len(hits)} of {of} heads; rank 0: no target has a larger logit")


def print_families(rows: Sequence[FamilyRow], wrappers: Sequence[str]) -> None:
    """The families table."""
    console = new_console()
    columns = ("model_type", "values", "first MLP", "norm", "GGUF", "proved")
    table = new_table(*((name, "number" if name == "proved" else "") for name in columns))
    table.columns[0].no_wrap = True
    for row in rows:
        name = f"{row.model_type}, {row.variant}" if row.variant else row.model_type
        cells = (row.values, row.mlp, row.norm, row.gguf, str(row.layouts))
        table.add_row(name, *cells)
    console.print(table)
    console.print(
        "\nproved: on so many layouts, by the model's own modules. norm: what feeds the MLP, then "
        "what follows it; +1: added to the stored weight; bare: without parameters."
    )
    console.print(f"\nThe text tower, where it is one of these, of: {', '.join(wrappers)}.")


def print_findings(findings: Sequence[Finding]) -> None:
    """What the oracle says of each part."""
    table = new_table(("part", ""), ("left over", "number"), ("limit", "number"), ("", ""))
    for finding in findings:
        verdict = "proved" if finding.proved else "DISAGREES"
        left = f"{finding.error:.0e}" if finding.error else "0"
        table.add_row(finding.part, left, f"{finding.limit:.0e}", verdict)
    console = new_console()
    console.print(table)
    if not any(finding.part == "W_U" for finding in findings):
        console.print("W_U is not compared: transformers has this text tower only in its wrapper.")


def catalog_line(catalog: Catalog) -> str:
    """Where the catalog is and what it holds."""
    return f"{len(catalog)} heads of {catalog.manifest.model['id']} in {catalog.folder}"


def print_next_steps(catalog: Catalog, model: str) -> None:
    """What to run next with the catalog and the model it was made from."""
    # As it was called: `make demo` leaves it in .venv/bin, which is on nobody's PATH.
    tool = sys.argv[0] if "/" in sys.argv[0] and not shutil.which("annotator") else "annotator"
    folder, model = shlex.quote(str(catalog.folder)), shlex.quote(model)
    print("\nWhat to run next:")
    for arguments, purpose in (
        (f"describe {folder} --llm openai:MODEL --top 8", "descriptions by a strong model"),
        (f"relations {folder}", "how strongly heads implement 26 relations (two minutes)"),
        (f"view {folder}", "the page of all heads, with whatever was added since"),
        (f"show {folder} L23H4", "one head in full"),
        (f"heads {folder} --sort copy --top 10", "heads by a signature"),
        (f"row {model} L23H4 ' France'", "what a head does with one token"),
        (f"find {model} ' France' ' Paris'", "which heads map one token to another"),
        (f"export {folder} --to hf", "a Hugging Face dataset; or jsonl, csv, parquet"),
        ("map MODEL --out DIR", "a model of your own"),
    ):
        print(f"  {tool} {arguments}\n      {purpose}")
