"""Commands that have heads described, and show what would be sent."""

from __future__ import annotations

from pathlib import Path

import click

from annotator.cli.app import COUNT, FOLDER, app
from annotator.records import Signatures

PROMPTS = click.option(
    "--prompts", type=FOLDER, help="A directory with a describe_head.jinja of your own."
)


@app.command()
@click.argument("catalog", type=FOLDER)
@click.option(
    "--llm",
    required=True,
    help="openai:MODEL[@BASE_URL], anthropic:MODEL, local:[FILE.gguf] or rules.",
)
@click.option("--heads", help="Heads by name: L23H4,L5H0.")
@click.option("--top", type=COUNT, help="So many heads, by --by.")
@click.option(
    "--by",
    type=click.Choice(["telling", *Signatures.names()]),
    default="telling",
    show_default=True,
    help="What --top goes by.",
)
@click.option("--all", "every", is_flag=True, help="Every head.")
@click.option(
    "--concurrency", default=4, show_default=True, type=COUNT, help="Requests in flight at most."
)
@click.option(
    "--key-file", type=FOLDER, help="A file that holds the provider's key.  [default: environment]"
)
@PROMPTS
def describe(
    catalog: Path,
    llm: str,
    heads: str | None,
    top: int | None,
    by: str,
    every: bool,
    concurrency: int,
    key_file: Path | None,
    prompts: Path | None,
) -> None:
    """Have a language model say what heads do.

    What it says, and every attempt to ask it, is in the catalog's ledger.db. A run that was stopped
    goes on where it was: what has an answer is not asked again. Keys are read from OPENAI_API_KEY
    and ANTHROPIC_API_KEY, or --key-file, and never written down.

    `rules` is no language model but a baseline: sentences from the signatures.
    """
    from annotator.cli.text import told_line
    from annotator.pipeline.describe import describe as run
    from annotator.pipeline.describe import refuse_unanswered

    if (heads is not None) + (top is not None) + every != 1:
        raise click.UsageError("Say which heads: one of --heads, --top and --all.")
    named = [name.strip() for name in heads.split(",")] if heads else None
    told = run(
        catalog, llm, heads=named, top=top, by=by, concurrency=concurrency,
        key_file=key_file, prompts=prompts,
    )  # fmt: skip
    click.echo(told_line(told))
    refuse_unanswered(told, llm)


@app.group()
def prompts() -> None:
    """What language models are asked."""


@prompts.command("show")
@click.argument("head")
@click.argument("catalog", type=FOLDER)
@PROMPTS
def show_prompt(head: str, catalog: Path, prompts: Path | None) -> None:
    """Print what would be sent about a head. Nothing is sent."""
    from annotator.pipeline.describe import prompt_of

    rendered = prompt_of(catalog, head, prompts)
    click.echo(f"[system]\n{rendered.system}\n\n[user]\n{rendered.prompt}")
