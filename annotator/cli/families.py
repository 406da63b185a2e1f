"""`annotator families` and `annotator check`: what is supported, and its proof."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from annotator.cli.app import DEVICE, DTYPE, REVISION, app
from annotator.cli.layout import (
    new_console,
    new_table,
)

if TYPE_CHECKING:
    from annotator.pipeline.families import FamilyRow
    from annotator.weights.oracle import Finding


@app.command()
def families() -> None:
    """List the supported architectures.

    One line for each layout of a model_type: how its value projections lie in the checkpoint, its
    first MLP, the norm that feeds that MLP and the one that follows it, the GGUF architecture read
    as it, and on how many tiny models of transformers' own the entry is proved.
    """
    from annotator.pipeline.families import families as listed
    from annotator.pipeline.families import wrappers

    print_families(listed(), wrappers())


@app.command()
@click.argument("model")
@REVISION
@DTYPE
@DEVICE
def check(model: str, revision: str | None, dtype: str, device: str) -> None:
    """Prove that a model is what the families table says.

    Runs the model's own first and last layer on a short random input and compares what they
    compute with the heads, the embeddings and the source representation that annotator cuts from
    the checkpoint. Ends with exit code 1 if a part disagrees, and names it.

    MODEL is a folder with safetensors or a Hugging Face hub id.
    """
    from annotator.pipeline.check import check as run
    from annotator.pipeline.check import refuse_disproved

    findings = run(model, revision=revision, dtype=dtype, device=device)
    _print_proof(findings)
    refuse_disproved(model, findings)
    compared = "" if any(finding.part == "W_U" for finding in findings) else ", W_U apart"
    click.echo(f"{model} is proved{compared}: its own modules compute what annotator cuts from it.")


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


def _print_proof(findings: Sequence[Finding]) -> None:
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
