"""Commands about what is supported, and its proof. Rooms are imported when a command runs."""

from __future__ import annotations

import click

from annotator.cli.app import DEVICE, DTYPE, REVISION, app


@app.command()
def families() -> None:
    """List the supported architectures.

    One line for each layout of a model_type: how its value projections lie in the checkpoint, its
    first MLP, the norm that feeds that MLP and the one that follows it, the GGUF architecture read
    as it, and on how many tiny models of transformers' own the entry is proved.
    """
    from annotator.cli.text import print_families
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
    from annotator.cli.text import print_findings
    from annotator.pipeline.check import check as run
    from annotator.pipeline.check import refuse_disproved

    findings = run(model, revision=revision, dtype=dtype, device=device)
    print_findings(findings)
    refuse_disproved(model, findings)
    compared = "" if any(finding.part == "W_U" for finding in findings) else ", W_U apart"
    click.echo(f"{model} is proved{compared}: its own modules compute what annotator cuts from it.")
