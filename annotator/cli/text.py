"""What the commands print, laid out for the terminal's width (100 columns where there is none)."""

from __future__ import annotations

import math
import shlex
import shutil
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from annotator.cli.layout import new_console, new_table
from annotator.cli.said import print_said
from annotator.maps.settings import EVIDENCE_SOURCES
from annotator.records import Description, HeadMap, HeadSummary, Hit, RowView, Signatures, Target

if TYPE_CHECKING:
    from annotator.catalog.read import Catalog
    from annotator.pipeline.families import FamilyRow
    from annotator.weights.proof import Finding

TELLING_ROWS = 5


def _tokens(targets: Sequence[Target]) -> Text:
    """Tokens two spaces apart: shown tokens hold no spaces of their own."""
    return Text("  ".join(target.token.text for target in targets))


def _number(value: float) -> str:
    """Two decimals, or one digit that counts where those would show nothing (focus is small)."""
    if math.isnan(value):
        return "-"
    return f"{value:.1g}" if 0 < abs(value) < 0.005 else f"{value:.2f}"


def print_head(
    head: HeadMap, model: str, rows: int, descriptions: Sequence[Description] = ()
) -> None:
    """One head's descriptions and mappings."""
    console = new_console()
    console.print(Text(f"{head.head} of {model}  (KV head {head.kv_head})", style="bold"))
    console.print(
        "  ".join(
            f"{name} {_number(getattr(head.signatures, name))}" for name in Signatures.names()
        )
    )
    console.print()
    for description in descriptions:
        print_said(console, description)
    suppressed = any(mapping.suppressed for mapping in head.mappings)
    columns = [("", "number"), ("source", ""), ("sigma", "number"), ("promotes", "targets")]
    table = new_table(*columns, *([("suppresses", "targets")] if suppressed else []))
    for rank, mapping in enumerate(head.mappings[:rows]):
        cells = [
            str(rank + 1),
            Text(mapping.source.text),
            _number(mapping.sigma),
            _tokens(mapping.targets),
        ]
        table.add_row(*cells, *([_tokens(mapping.suppressed)] if suppressed else []))
        if rank + 1 == EVIDENCE_SOURCES < min(rows, len(head.mappings)):
            table.add_section()
    console.print(table)


def print_telling(heads: Sequence[HeadMap]) -> None:
    """Heads with the first rows of their mappings."""
    console = new_console()
    console.print("The source tokens each head responds to most, and the tokens it then promotes;")
    console.print("read from the weights alone. ␣ is a space.\n")
    table = new_table(("head", "head"), ("source", ""), ("promotes", "targets"))
    for head in heads:
        for rank, mapping in enumerate(head.mappings[:TELLING_ROWS]):
            name = Text(str(head.head)) if rank == 0 else ""
            table.add_row(name, Text(mapping.source.text), _tokens(mapping.targets))
        table.add_section()
    console.print(table)


def print_signatures(heads: Sequence[HeadSummary]) -> None:
    """A line of numbers for each head."""
    names = (*Signatures.names(), "telling")
    table = new_table(("head", "head"), *((name, "number") for name in names))
    for head in heads:
        table.add_row(str(head.head), *(_number(getattr(head.signatures, n)) for n in names))
    new_console().print(table)


def print_row(view: RowView) -> None:
    """One row of a head's map."""
    console = new_console()
    console.print(Text(f"{view.head} on {view.source.text}", style="bold"))
    console.print(f"sigma {_number(view.sigma)}; {view.sigma_rank:,} sources are more salient")
    console.print()
    table = new_table(
        ("promotes", ""), ("logit", "number"), ("suppresses", ""), ("logit", "number")
    )
    for up, down in zip(view.top, view.bottom, strict=True):
        table.add_row(
            Text(up.token.text), _number(up.logit), Text(down.token.text), _number(down.logit)
        )
    console.print(table)


def print_hits(hits: Sequence[Hit], of: int) -> None:
    """Heads by the rank of a target."""
    console = new_console()
    table = new_table(("head", "head"), ("rank", "number"), ("logit", "number"))
    for hit in hits:
        table.add_row(str(hit.head), str(hit.rank), _number(hit.logit))
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
        (f"show {folder} L23H4", "one head in full"),
        (f"heads {folder} --sort copy --top 10", "heads by a signature"),
        (f"row {model} L23H4 ' France'", "what a head does with one token"),
        (f"find {model} ' France' ' Paris'", "which heads map one token to another"),
        (f"export {folder} --to jsonl", "the tables as files"),
        ("map MODEL --out DIR", "a model of your own"),
    ):
        print(f"  {tool} {arguments}\n      {purpose}")
