"""Commands that have heads described, and show what would be sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from annotator.cli.app import COUNT, FOLDER, app, heads_named
from annotator.records import Signatures

PROMPTS = click.option(
    "--prompts", type=FOLDER, help="A directory with a describe_head.jinja of your own."
)
KEY_FILE = click.option(
    "--key-file", type=FOLDER, help="A file that holds the provider's key.  [default: environment]"
)


@app.command()
@click.argument("catalog", type=FOLDER)
@click.option(
    "--llm",
    required=True,
    help="openai:MODEL[@BASE_URL], anthropic:MODEL, local:[FILE.gguf] or rules.",
)
@click.option("--heads", callback=heads_named, help="Heads by name: L23H4,L5H0.")
@click.option("--top", type=COUNT, help="So many heads, by --by.")
@click.option(
    "--by",
    type=click.Choice(["telling", *Signatures.names()]),
    help="What --top goes by.  [default: telling]",
)
@click.option("--all", "every", is_flag=True, help="Every head.")
@click.option(
    "--concurrency", default=4, show_default=True, type=COUNT, help="Requests in flight at most."
)
@click.option(
    "--as", "name", default="", help="What to call it here.  [default: its prompt's digest]"
)
@click.option(
    "--max-tokens",
    type=COUNT,
    help="An answer's limit, reasoning included.  [default: 1024; local: 512]",
)
@KEY_FILE
@PROMPTS
def describe(
    catalog: Path,
    llm: str,
    heads: list[str] | None,
    top: int | None,
    by: str | None,
    every: bool,
    **how: Any,
) -> None:
    """Have a language model say what heads do.

    What it says, and every attempt to ask it, is in the catalog's ledger.db. A run that was stopped
    goes on where it was: what has an answer is not asked again. Keys are read from OPENAI_API_KEY
    and ANTHROPIC_API_KEY, or --key-file, and never written down.

    What is said by another prompt, or under another name, stands beside what was said before.

    `rules` is no language model but a baseline: sentences from the signatures.
    """
    from annotator.cli.said import told_line
    from annotator.pipeline.describe import describe_heads, refuse_unanswered

    if (heads is not None) + (top is not None) + every != 1:
        raise click.UsageError("Say which heads: one of --heads, --top and --all.")
    if by is not None and top is None:
        raise click.UsageError("--by is what --top goes by; give both, or neither.")
    told = describe_heads(catalog, llm, heads=heads, top=top, by=by or "telling", **how)
    click.echo(told_line(told, llm))
    refuse_unanswered(told, llm)


@app.command()
@click.argument("catalog", type=FOLDER)
@click.option("--llm", help="Only this one's; any part of a name that is clear.")
def descriptions(catalog: Path, llm: str | None) -> None:
    """List what language models said of heads.

    `rules` is no language model but a baseline: sentences from the signatures.
    """
    from annotator.catalog.read import open_catalog
    from annotator.cli.said import print_descriptions

    found = open_catalog(catalog).descriptions(llm=llm)
    if found:
        print_descriptions(found)
    else:
        click.echo(f"No head is described yet. Run: annotator describe {catalog} --llm ...")


@app.group()
def prompts() -> None:
    """What language models are asked."""


@prompts.command("show")
@click.argument("head")
@click.argument("catalog", type=FOLDER)
@click.option("--llm", help="Show it as this one would get it, and have it count the tokens.")
@KEY_FILE
@PROMPTS
def show_prompt(head: str, catalog: Path, llm: str | None, **options: Any) -> None:
    """Print what would be sent about a head, and how many tokens it is.

    Nothing is asked. With --llm, a provider that counts tokens is sent the prompt to count them,
    which costs nothing; without it the number is an estimate.
    """
    from annotator.cli.said import prompt_text
    from annotator.pipeline.describe import prompt_of

    click.echo(prompt_text(prompt_of(catalog, head, llm, **options), llm))
