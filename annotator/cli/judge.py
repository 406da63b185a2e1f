"""`annotator judge`: descriptions go to raters, judgments come back."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click
from rich.text import Text

from annotator.cli.app import CATALOG, COUNT, FOLDER, Command, app, heads_named
from annotator.cli.layout import new_console, new_table, plural

if TYPE_CHECKING:
    from annotator.label_studio.server import Server
    from annotator.pipeline.judge import RaterProject
    from annotator.pipeline.judge_answers import PullResult

_TEAM = (
    click.option("--url", help="A team's Label Studio.  [default: the catalog's own]"),
    click.option("--token", help="Of a user there."),
    click.option(
        "--token-env",
        metavar="NAME",
        help="A variable that holds it.  [default: LABEL_STUDIO_API_KEY, where LABEL_STUDIO_URL "
        "names that server, or is not set and it is on this machine]",
    ),
    click.option(
        "--allow-http",
        is_flag=True,
        help="The token may go to another machine over http, unhidden.",
    ),
)


def team_options(command: Command) -> Command:
    """The options that name a team's server; `token` is then that of either of the two."""

    @wraps(command)
    def found(token_env: str | None, **options: Any) -> Any:
        url, token = options["url"], options["token"]
        if url is None and (token or token_env):
            raise click.UsageError("A token is of the server that --url names; give both.")
        if token and token_env:
            raise click.UsageError("Give one of --token and --token-env.")
        if url and token_env:
            from annotator.label_studio.token import environment_token

            options["token"] = environment_token(url, token_env)
        return command(**options)

    for option in reversed(_TEAM):
        found = option(found)
    return cast(Command, found)


RATERS = click.option(
    "--rater", "raters", multiple=True, required=True, help="A rater's pseudonym; may be repeated."
)
LLM = click.option(
    "--llm",
    help="Whose descriptions, by any part of a name that is clear; needed where several described.",
)
HEADS_OPTION = click.option("--heads", callback=heads_named, help="Only these heads: L23H4,L5H0.")
KIND_OPTION = click.option(
    "--kind",
    "kinds",
    multiple=True,
    default=("real",),
    show_default=True,
    help="Of which kind items are made; may be repeated.",
)
ORDER_SEED = click.option(
    "--seed", default=0, show_default=True, help="Of each rater's random order of the items."
)


def chosen_options(command: Command) -> Command:
    """The options of every command that chooses what is judged, and by whom."""
    return RATERS(LLM(HEADS_OPTION(KIND_OPTION(ORDER_SEED(command)))))


@app.group()
def judge() -> None:
    """Have people judge descriptions, in Label Studio."""


@judge.command()
@CATALOG
@click.option(
    "--rater", "raters", multiple=True, help="Who gets an account, if they have none; repeatable."
)
@click.option("--port", type=COUNT, help="Where it listens.  [default: that of the last time]")
def serve(catalog: Path, raters: tuple[str, ...], port: int | None) -> None:
    """Run the catalog's own Label Studio until Ctrl-C.

    It listens on this machine alone. It is installed when first needed (a gigabyte, a few minutes),
    apart from everything else. Each rater gets an account; passwords are printed once. They are
    kept where only you can read them, with the answers, outside of CATALOG: in a folder of
    $XDG_STATE_HOME/annotator, else of ~/.local/state/annotator, which it prints.
    """
    from annotator.pipeline.judge_items import described_by
    from annotator.pipeline.judge_server import accounts
    from annotator.pipeline.judge_server import serve as run

    known, sources = accounts(catalog), described_by(catalog)
    if not (raters or known):
        raise click.UsageError("Nobody has an account yet: name the raters, each with --rater.")
    with run(catalog, raters, port) as server:
        print_server(server, known, catalog, sources)
        server.wait()


@judge.command()
@CATALOG
@chosen_options
@team_options
@click.option("--again", is_flag=True, help="Make a project anew that was deleted by hand.")
def push(catalog: Path, **options: Any) -> None:
    """Give each rater a project of tasks.

    It has one for every description and every abstention, in an order of the rater's own.

    Run again it adds nothing, or only what has been described since.
    """
    from annotator.pipeline.judge import push_study as run

    print_places(run(catalog, **options), pushed=True)


@judge.command()
@CATALOG
@team_options
def status(catalog: Path, **team: Any) -> None:
    """Show how far raters are, and their links."""
    from annotator.pipeline.judge import refuse_gone
    from annotator.pipeline.judge import study_status as run

    places = run(catalog, **team)
    print_places(places, pushed=False)
    refuse_gone({one.rater: one.project for one in places if one.counts is None}, team["url"])


@judge.command()
@CATALOG
@team_options
def pull(catalog: Path, **team: Any) -> None:
    """Fetch the answers into the catalog.

    Edits and skips too; each once, however often it is run.
    """
    from annotator.pipeline.judge import pull_study as run
    from annotator.pipeline.judge import refuse_gone
    from annotator.pipeline.judge_answers import refuse_problems

    pulled = run(catalog, **team)
    print_pulled(pulled)
    refuse_problems(pulled)
    refuse_gone(pulled.gone, team["url"])


@judge.command("export")
@CATALOG
@chosen_options
@click.option("--out", type=FOLDER, help="Directory for the files.  [default: CATALOG/judge]")
def export_tasks(catalog: Path, **options: Any) -> None:
    """Write tasks as files, to be imported by hand.

    A file for each rater, and the labelling screen, for a Label Studio out of reach from here.
    """
    from annotator.pipeline.judge_files import export_study as run

    for path in run(catalog, **options):
        click.echo(path)


@judge.command("import")
@CATALOG
@click.argument("file", type=FOLDER)
def import_answers(catalog: Path, file: Path) -> None:
    """Read answers from a file.

    FILE is a project that Label Studio exported as JSON.
    """
    from annotator.pipeline.judge_answers import refuse_problems
    from annotator.pipeline.judge_files import import_answers as run

    pulled = run(catalog, file)
    print_pulled(pulled)
    refuse_problems(pulled)


def print_server(
    server: Server, known: Collection[str], catalog: Path, sources: Sequence[str]
) -> None:
    """Where a server runs, and who may log in; a password only the first time."""
    console = new_console()
    console.print(f"Label Studio runs at {server.url} until Ctrl-C.")
    accounts = [one for one in server.credentials.raters if one.name not in known]
    if not known:
        accounts = [server.credentials.admin, *accounts]
    if accounts:
        console.print("\nNew accounts; this is the only time that their passwords are printed.")
        table = new_table(("who", "head"), ("e-mail", ""), ("password", ""))
        for one in accounts:
            table.add_row(one.name, one.email, one.password)
        console.print(table)
    raters = " ".join(f"--rater {shlex.quote(one.name)}" for one in server.credentials.raters)
    where = server.folder / "credentials.json"
    console.print(Text(f"\nAll of them are in {where}"), soft_wrap=True)
    console.print(
        "readable to you alone; answers are kept beside it until judge pull fetches them."
    )
    llm = f" --llm {shlex.quote(sources[0])}" if len(sources) > 1 else ""
    console.print("Next, in another terminal:")
    command = f"  annotator judge push {shlex.quote(str(catalog))} {raters}{llm}"
    console.print(Text(command), soft_wrap=True)
    console.file.flush()


def print_places(places: Sequence[RaterProject], *, pushed: bool) -> None:
    """A line for each rater's project, and where it is."""
    console = new_console()
    names = [*(["added"] if pushed else []), "tasks", "answered", "skipped", "recorded"]
    table = new_table(("rater", "head"), *((name, "number") for name in names))
    for one in places:
        found = one.counts
        counts = [found.tasks, found.answered, found.skipped] if found else ["deleted", "-", "-"]
        cells = [*([one.added] if pushed else []), *counts, one.recorded]
        table.add_row(Text(one.rater), *map(str, cells))
    console.print(table)
    console.print("\nSend each rater this link alone; it shows one item after the other:")
    for one in places:
        if one.counts:
            console.print(Text(f"  {one.rater}: {one.url}"), soft_wrap=True)


def print_pulled(pulled: PullResult) -> None:
    """What came back."""
    console = new_console()
    console.print(
        f"{plural(pulled.new, 'new answer')}, {pulled.edited} edited, "
        f"{pulled.unchanged} known before."
    )
    for line in pulled.twice:
        console.print(Text(f"Answered twice, the last one counts: {line}"))
