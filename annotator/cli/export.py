"""`annotator export`: files for other tools, a dataset, a page. Rooms are imported when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from annotator.cli.app import BOM, CATALOG, FOLDER, app
from annotator.views.export.registry import FORMATS, format_of

_PUSHED = "--private, --revision and --dry-run say how to --push"


class FormatName(click.ParamType[str]):
    """One of the formats that there are."""

    name = "format"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """All of them."""
        return f"[{'|'.join(FORMATS)}]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Refuse any other."""
        return click.Choice(list(FORMATS)).convert(value, param, ctx)


@app.command()
@CATALOG
@click.option("--to", required=True, type=FormatName(), help="Format.")
@click.option(
    "--out",
    type=FOLDER,
    help="Directory for the files.  [default: CATALOG/export/FORMAT; CATALOG/site]",
)
@click.option(
    "--license",
    metavar="ID",
    default="unknown",
    show_default=True,
    help="Of a dataset, as the hub has it: cc-by-4.0, say.",
)
@BOM
@click.option("--push", metavar="OWNER/NAME", help="Upload the dataset to the Hugging Face hub.")
@click.option("--private", is_flag=True, help="Where it makes the repository, a private one.")
@click.option("--revision", metavar="BRANCH", help="The branch to upload to.  [default: main]")
@click.option("--dry-run", is_flag=True, help="Send nothing; list what would be uploaded.")
def export(
    catalog: Path,
    to: str,
    out: Path | None,
    license: str,
    bom: bool,
    push: str | None,
    private: bool,
    revision: str | None,
    dry_run: bool,
) -> None:
    """Write the tables as files that other tools read, or a page to look at.

    hf is a dataset for the Hugging Face hub: Parquet files and their card, which
    datasets.load_dataset reads from disk too. site is one folder of static files that opens in
    any browser. An older export of the same format in the same folder is replaced.

    To --push, log in with hf auth login, or set HF_TOKEN.
    """
    from annotator.pipeline.export import export as run

    form = format_of(to)
    if not form.dataset and (license != "unknown" or push):
        raise click.UsageError("--license and --push are for --to hf.")
    if bom and not form.bom:
        raise click.UsageError("--bom is for --to csv.")
    if push is None and (private or revision or dry_run):
        raise click.UsageError(f"{_PUSHED}; name its repository.")
    if push is None:
        files = run(catalog, to, out, license=license, bom=bom)
        for path in files[:1] if form.opened else files:
            click.echo(path)
        return
    from annotator.catalog.read import open_catalog
    from annotator.pipeline.ledger import require_ledger
    from annotator.pipeline.publish import publish, require_repo

    require_repo(push, revision)
    require_ledger(open_catalog(catalog), read_only=True)  # what it lacks is deleted there
    folder = run(catalog, to, out, license=license)[0].parent
    if dry_run:
        _would_send(folder, push, private, revision)
    else:
        click.echo(publish(folder, push, private=private, revision=revision))


def _would_send(folder: Path, repo: str, private: bool, revision: str | None) -> None:
    from annotator.pipeline.publish import address, to_send

    sizes = [(name, path.stat().st_size) for name, path in to_send(folder).items()]
    width = max(len(f"{size:,}") for _, size in sizes)
    for name, size in sizes:
        click.echo(f"{size:>{width},} bytes  {name}")
    who = "private" if private else "public"
    click.echo(
        f"{sum(size for _, size in sizes):,} bytes would go to {address(repo)}, branch "
        f"{revision or 'main'}; the repository would be {who} if it is new. Nothing was sent."
    )
