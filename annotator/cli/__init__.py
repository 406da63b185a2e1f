"""Arguments in, text out. Every command is one function of `annotator.pipeline`.

Nothing heavy is imported here: `annotator --help` must stay instant. Data goes to standard output,
progress and errors to standard error; an expected error is one message and exit code 1.
"""

from __future__ import annotations

import os
import sys
import threading
import warnings
from collections.abc import Sequence
from contextlib import suppress

import click

from annotator.cli import streams
from annotator.cli.commands import app
from annotator.cli.signals import end_in_order, exit_code
from annotator.errors import AnnotatorError
from annotator.terminal_text import brief, visible

RESUMED = (
    *("map", "quickstart", "relations", "validate"),
    *("describe", "serve", "push", "pull"),
)


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        0, also where nobody read all of the output, or 1 for an error of the input, 2 for one of
        the arguments, 130 when stopped by Ctrl-C, 143 by SIGTERM, 129 by SIGHUP.
    """
    words = sys.argv[1:] if args is None else args
    if args is None:
        warnings.formatwarning = _warning
        end_in_order()
    streams.prepare(installed=args is None)
    code = _run(words, installed=args is None)
    if args is None:
        streams.end()
    return code


def _run(args: Sequence[str], *, installed: bool) -> int:
    try:
        app(args, prog_name="annotator", standalone_mode=False)
        if installed:
            sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt) as stopped:
        code = exit_code(stopped if isinstance(stopped, KeyboardInterrupt) else stopped.__cause__)
        more = " What is finished is kept; run the same command again to go on."
        with suppress(OSError):  # a closed terminal
            click.echo("\nStopped." + (more if {*args} & {*RESUMED} else ""), err=True)
            sys.stdout.flush()
        if installed and threading.active_count() > 1:
            os._exit(code)  # nobody wants to wait for what was left behind; what counts is on disk
        return code
    except (AnnotatorError, OSError) as error:
        click.echo(f"Error: {brief(visible(str(error)))}", err=True)
        return 1
    except (MemoryError, RuntimeError) as error:
        if not _out_of_memory(error):
            raise
        click.echo(
            "Error: out of memory. Free some, or use a machine with more; --device cpu", err=True
        )
        return 1
    return 0


def _warning(message: Warning | str, *_: object) -> str:
    return f"Warning: {visible(str(message))}\n"


def _out_of_memory(error: Exception) -> bool:
    """Whether torch (on CUDA: OutOfMemoryError; on the CPU: its allocator) or Python ran out."""
    kinds = (MemoryError.__name__, "OutOfMemoryError")
    return type(error).__name__ in kinds or "can't allocate memory" in str(error)
