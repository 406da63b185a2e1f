"""Arguments in, text out. Every command is one function of `annotator.pipeline`.

Nothing heavy is imported here: `annotator --help` must stay instant. Data goes to standard output,
progress and errors to standard error; an expected error is one message and exit code 1.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from annotator.errors import AnnotatorError

Command = TypeVar("Command", bound=Callable[..., Any])

MODEL_HELP = "MODEL is a folder with safetensors, a .gguf file, or a Hugging Face hub id."
RESUME = "Stopped. Finished layers are kept; run the same command again to go on."


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    try:
        app(args, prog_name="annotator", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo(f"\n{RESUME}", err=True)
        return 130
    except AnnotatorError as error:
        click.echo(f"Error: {error}", err=True)
        return 1
    except BrokenPipeError:
        sys.stdout = None
        return 0
    except OSError as error:
        click.echo(f"Error: {error}", err=True)
        return 1
    return 0


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="annotator")
def app() -> None:
    """Map every attention head of a language model from its weights alone.

    Start with `annotator quickstart`: it maps a small real model that comes as a package.
    """


def _model_options(command: Command) -> Command:
    """The options of every command that opens a model."""
    for option in reversed(
        [
            click.option("--revision", help="Branch, tag or commit on the hub."),
            click.option("--tokenizer", type=click.Path(path_type=Path), help="A tokenizer.json, or a folder with one, in place of the model's own."),
            click.option("--vocab", "vocabulary", type=click.Choice(["all", "usable"]), default="all", show_default=True, help="Which rows of the embedding count, as sources, targets and competitors alike."),
            click.option("--source-form", type=click.Choice(["mlp-after-layer-0", "mlp", "embedding"]), default="mlp-after-layer-0", show_default=True, help="X: the first MLP's output (bare embedding in layer 0), that output in every layer, or the bare embedding."),
            click.option("--dtype", type=click.Choice(["float32", "float64", "bfloat16"]), default="float32", show_default=True, help="Arithmetic."),
            click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:1, ..."),
        ]
    ):  # fmt: skip
        command = option(command)
    return command


@app.command("map", short_help="Map every head of a model into a catalog.", help=f"Map every head of MODEL into a catalog.\n\n{MODEL_HELP}\n\nA run that was stopped goes on where it was: run the same command again.")  # fmt: skip
@click.argument("model")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The catalog's directory.")
@click.option("--sources", default=45, show_default=True, help="Salient sources kept per head; the first 30 are the published evidence.")  # fmt: skip
@click.option("--targets", default=5, show_default=True, help="Targets kept per source.")
@click.option("--suppress", is_flag=True, help="Keep each source's smallest targets too.")
@_model_options
def map_command(
    model: str,
    out: Path,
    revision: str | None,
    tokenizer: Path | None,
    device: str,
    **settings: Any,
) -> None:
    """See `annotator.map_model`."""
    from annotator.cli.text import catalog_line
    from annotator.maps.settings import MapSettings
    from annotator.pipeline.mapping import map_model

    catalog = map_model(
        model,
        out,
        MapSettings(**settings),
        revision=revision,
        tokenizer=tokenizer,
        device=device,
    )
    click.echo(catalog_line(catalog))


@app.command(short_help="Map the embedded model and show its most telling heads.", help="Map the embedded SmolLM2-135M-Instruct and show its most telling heads.")
@click.option("--out", default=None, type=click.Path(path_type=Path), help="The catalog's directory  [default: catalogs/SmolLM2-135M-Instruct]")  # fmt: skip
def quickstart(out: Path | None) -> None:
    """See `annotator.quickstart`."""
    from annotator.cli.text import catalog_line, print_next_steps, print_telling
    from annotator.pipeline.quickstart import OUT
    from annotator.pipeline.quickstart import quickstart as run

    catalog = run(out or OUT)
    print_telling(catalog.telling())
    click.echo(catalog_line(catalog))
    print_next_steps(catalog)


@app.command(short_help="Show one head's salient mappings.", help="Show one head's salient mappings; the model is not loaded.\n\nHEAD is layer and head from 0, as in L23H4.")  # fmt: skip
@click.argument("catalog", type=click.Path(path_type=Path))
@click.argument("head")
@click.option("--rows", default=30, show_default=True, help="How many sources, most salient first.")
def show(catalog: Path, head: str, rows: int) -> None:
    """See `annotator.Catalog.head`."""
    from annotator.catalog.read import open_catalog
    from annotator.cli.text import print_head

    opened = open_catalog(catalog)
    print_head(opened.head(head), opened.manifest.model["id"], rows)


@app.command(short_help="List heads by a signature, or the most telling.", help="List heads by a signature, or the most telling ones with their mappings.")
@click.argument("catalog", type=click.Path(path_type=Path))
@click.option("--sort", help="copy, stem, hub, distinct, script, fragment, focus, strength or telling; largest first.")  # fmt: skip
@click.option("--telling", is_flag=True, help="The most telling heads, one per KV group, with their mappings.")  # fmt: skip
@click.option("--top", type=click.IntRange(min=1), help="Only so many  [default: all; 8 with --telling]")
def heads(catalog: Path, sort: str | None, telling: bool, top: int | None) -> None:
    """See `annotator.Catalog.heads` and `annotator.Catalog.telling`."""
    from annotator.catalog.read import open_catalog
    from annotator.cli.text import print_signatures, print_telling

    if telling and sort:
        raise click.UsageError("--telling has an order of its own; leave --sort out.")
    opened = open_catalog(catalog)
    if telling:
        print_telling(opened.telling(top or 8))
    else:
        print_signatures(opened.heads(sort, top))


@app.command(short_help="What a head does with one source token.", help=f"What a head does with one source token: its row's top and bottom targets.\n\n{MODEL_HELP}\n\nSOURCE is a text that is one token (mind the leading space: ' France'), or '#123' for an id.")  # fmt: skip
@click.argument("model")
@click.argument("head")
@click.argument("source")
@click.option("-k", default=10, show_default=True, type=click.IntRange(min=1), help="Targets at either end.")
@_model_options
def row(
    model: str,
    head: str,
    source: str,
    k: int,
    revision: str | None,
    tokenizer: Path | None,
    device: str,
    **settings: Any,
) -> None:
    """See `annotator.row`."""
    from annotator.cli.text import print_row
    from annotator.maps.settings import MapSettings
    from annotator.pipeline.ask import row as ask

    print_row(
        ask(
            model,
            head,
            source,
            k=k,
            settings=MapSettings(**settings),
            revision=revision,
            tokenizer=tokenizer,
            device=device,
        )
    )


@app.command(short_help="Which heads map one token to another.", help=f"Which heads map one token to another: all heads by the target's rank.\n\n{MODEL_HELP}\n\nSOURCE and TARGET are texts that are one token (mind the leading space: ' France'), or '#123' for an id.")  # fmt: skip
@click.argument("model")
@click.argument("source")
@click.argument("target")
@click.option("--top", default=20, show_default=True, type=click.IntRange(min=1), help="Only so many heads.")
@_model_options
def find(
    model: str,
    source: str,
    target: str,
    top: int,
    revision: str | None,
    tokenizer: Path | None,
    device: str,
    **settings: Any,
) -> None:
    """See `annotator.find`."""
    from annotator.cli.text import print_hits
    from annotator.maps.settings import MapSettings
    from annotator.pipeline.ask import find as ask

    hits = ask(
        model,
        source,
        target,
        settings=MapSettings(**settings),
        revision=revision,
        tokenizer=tokenizer,
        device=device,
    )
    print_hits(hits[:top], len(hits))


@app.command(short_help="Write the tables as files that other tools read.", help="Write a catalog's tables as files that other tools read.")
@click.argument("catalog", type=click.Path(path_type=Path))
@click.option("--to", required=True, type=click.Choice(["jsonl", "csv", "parquet"]), help="Format.")
@click.option("--out", type=click.Path(path_type=Path), help="Directory for the files  [default: CATALOG/export]")  # fmt: skip
def export(catalog: Path, to: str, out: Path | None) -> None:
    """See `annotator.export`."""
    from annotator.pipeline.export import export as run

    for path in run(catalog, to, out):
        click.echo(path)
