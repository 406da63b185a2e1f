"""The command that shows a catalog in a browser. Rooms are imported when it runs."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import click

from annotator.cli.app import FOLDER, app


@app.command()
@click.argument("catalog", type=FOLDER)
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    help="Port on this machine.  [default: 8090, or any that is free]",
)
@click.option("--browser/--no-browser", default=True, help="Open the page in a browser.")
def view(catalog: Path, port: int | None, browser: bool) -> None:
    """Show a catalog as a page, until Ctrl-C.

    The page is written to CATALOG/site, and served to this machine alone. That folder is all there
    is to it: its index.html opens from disk too, and any web host can serve it.
    """
    from annotator.catalog.read import open_catalog
    from annotator.pipeline.site import SITE, export_site
    from annotator.pipeline.view import open_browser, serve

    opened = open_catalog(catalog)
    folder = opened.folder / SITE
    with serve(folder, port) as (address, server):
        export_site(opened, folder)
        click.echo(f"{opened.manifest.model['id']}: {address}   (Ctrl-C ends it)")
        if browser and not open_browser(address):
            click.echo("No browser was found here; open that address in one.", err=True)
        with suppress(KeyboardInterrupt):
            server.serve_forever()
