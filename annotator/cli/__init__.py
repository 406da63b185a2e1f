"""Arguments in, text out. Every command is one function of `annotator.pipeline`.

Nothing heavy is imported here: `annotator --help` must stay instant. Data goes to standard output,
progress and errors to standard error; an expected error is one message and exit code 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import click

from annotator.cli.commands import app
from annotator.errors import AnnotatorError

STOPPED = "Stopped. Finished layers are kept; run the same command again to go on."


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        0, or 1 for an error of the input, 2 for one of the arguments, 130 when stopped by Ctrl-C.
    """
    try:
        app(args, prog_name="annotator", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo(f"\n{STOPPED}", err=True)
        return 130
    except (AnnotatorError, OSError) as error:
        click.echo(f"Error: {error}", err=True)
        return 1
    return 0
