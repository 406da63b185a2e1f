"""`annotator view`: a catalog in a browser."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from threading import Thread

import click

from annotator.cli.app import CATALOG, FOLDER, app


@app.command()
@CATALOG
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    help="Port on this machine.  [default: 8090, or any that is free]",
)
@click.option("--out", type=FOLDER, help="Directory for the page.  [default: CATALOG/site]")
@click.option("--browser/--no-browser", default=True, help="Open the page in a browser.")
def view(catalog: Path, port: int | None, out: Path | None, browser: bool) -> None:
    """Show a catalog as a page, until Ctrl-C.

    The page is written to CATALOG/site, and served to this machine alone: of what else lies in
    that folder nothing is. The folder is all there is to it: its index.html opens from disk too,
    and any web host can serve it. Where CATALOG cannot be written to, name another with --out.
    """
    from annotator.catalog.read import open_catalog
    from annotator.paths import user_path
    from annotator.pipeline.export import export
    from annotator.pipeline.view import serve
    from annotator.views.export.registry import format_of

    opened = open_catalog(catalog)
    folder = user_path(out or opened.folder / format_of("site").folder)
    with serve(folder, port) as (address, server):
        server.offer(export(opened, "site", folder))
        with suppress(KeyboardInterrupt):  # from the line on that says that Ctrl-C ends it
            click.echo(f"{opened.manifest.model['id']}: {address}   (Ctrl-C ends it)")
            if browser:  # aside: one that runs in the terminal would wait for its page for ever
                Thread(target=_open, args=(address,), daemon=True).start()
            server.serve_forever()


def _open(address: str) -> None:
    from annotator.pipeline.view import open_browser

    if not open_browser(address):
        click.echo("No browser was found here; open that address in one.", err=True)
