"""`annotator describe`, and `annotator prompts show`: what would be sent."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from annotator.cli.app import CATALOG, COUNT, FOLDER, app, heads_named
from annotator.cli.descriptions import counted, tokens_spent
from annotator.cli.layout import plural
from annotator.records import BASELINE, Signatures, by_whom

if TYPE_CHECKING:
    from annotator.pipeline.describe_result import DescribeResult
    from annotator.pipeline.prompt import PromptPreview

PROMPTS = click.option(
    "--prompts", type=FOLDER, help="A directory with a describe_head.jinja of your own."
)
_KEYS = (
    click.option(
        "--key-file",
        type=FOLDER,
        help="A file that holds the key.  [default: environment, at the provider's own address]",
    ),
    click.option("--key-env", metavar="NAME", help="An environment variable that holds the key."),
    click.option(
        "--allow-http", is_flag=True, help="A key may go to another machine over http, unhidden."
    ),
)


def key_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """A command with the options that say which key is sent where."""
    for option in reversed(_KEYS):
        command = option(command)
    return command


class LlmCommand(click.Command):
    """A command whose help lists what --llm takes: every provider's form, and a line on it."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The options, then the forms."""
        from annotator.describe.providers import PROVIDERS

        super().format_options(ctx, formatter)
        with formatter.section("Language models"):
            formatter.write_dl([(entry.form, entry.help) for entry in PROVIDERS.values()])


@app.command(cls=LlmCommand)
@CATALOG
@click.option("--llm", required=True, help="Who describes; see below.")
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
@click.option(
    "--timeout",
    type=float,
    help="Seconds for a request and its answer, after which it is given up; it may have been paid "
    "for.  [default: 300; local: 86400]",
)
@click.option(
    "--leave-unsure",
    is_flag=True,
    help="Leave out heads that may have been paid for without an answer; they are asked once more "
    "otherwise.",
)
@click.option(
    "--reserve-mb",
    default=8.0,
    show_default=True,
    help="Room kept free for answers that ledger.db cannot take.",
)
@key_options
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
    goes on where it was: what has an answer is not asked again. Keys are never written down.

    What is said by another prompt, or under another name, stands beside what was said before.
    """
    from annotator.pipeline.describe import describe_heads
    from annotator.pipeline.describe_result import refuse_unanswered

    if (heads is not None) + (top is not None) + every != 1:
        raise click.UsageError("Say which heads: one of --heads, --top and --all.")
    if by is not None and top is None:
        raise click.UsageError("--by is what --top goes by; give both, or neither.")
    result = describe_heads(catalog, llm, heads=heads, top=top, by=by or "telling", **how)
    click.echo(result_line(result, llm))
    refuse_unanswered(result, llm)


@app.group()
def prompts() -> None:
    """What language models are asked."""


@prompts.command("show", cls=LlmCommand)
@click.argument("head")
@CATALOG
@click.option("--llm", help="Show it as this one would get it, and have it count the tokens.")
@key_options
@PROMPTS
def show_prompt(head: str, catalog: Path, llm: str | None, **options: Any) -> None:
    """Print what would be sent about a head, and how many tokens it is.

    Nothing is asked. With --llm, a provider that counts tokens is sent the prompt to count them,
    which costs nothing; without it the number is an estimate.
    """
    from annotator.pipeline.prompt import prompt_of

    click.echo(prompt_text(prompt_of(catalog, head, llm, **options), llm))


def result_line(result: DescribeResult, llm: str) -> str:
    """What a description run came to; of heads without a description how many, and why."""
    kinds = counted(result.kinds) or "no answer"
    by = f" by {by_whom(llm)}" if llm == BASELINE else ""
    line = (
        f"{plural(result.heads, 'head')}{by}: {kinds}. {result.sent} asked now, "
        f"{result.before} had an answer; {tokens_spent(result.tokens_in, result.tokens_out)}."
    )
    if 0 < result.without < result.heads:
        causes = "; ".join(result.causes()) or "another process is asking about them"
        line += f"\n{plural(result.without, 'head')} got no description: {causes}."
    if result.maybe_paid:
        line += (
            f"\n{plural(result.maybe_paid, 'head')} may have been paid for without an answer; a "
            "run without --leave-unsure asks once more."
        )
    return line


def prompt_text(prompt: PromptPreview, llm: str | None) -> str:
    """What would be sent, and how many tokens it is."""
    if llm == BASELINE:
        tokens = f"{llm} is no language model: it reads this and sends nothing"
    elif prompt.counted is not None:
        tokens = f"{prompt.counted:,} tokens, as {llm} counts them"
    else:
        why = f"{llm} could not be had to count them" if llm else "--llm has them counted"
        tokens = f"about {prompt.estimated:,} tokens, estimated from its length; {why}"
    schema = f"\n\n[schema]\n{json.dumps(prompt.schema)}" if prompt.schema else ""
    key = f"\n[key {prompt.key}]" if prompt.key else ""
    return f"[system]\n{prompt.system}\n\n[user]\n{prompt.prompt}{schema}\n\n[{tokens}]{key}"
