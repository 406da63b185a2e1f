"""Write docs/cli.md from the commands' own help; --check only says whether it is up to date."""

from __future__ import annotations

import sys
from pathlib import Path

from click.testing import CliRunner

from annotator.cli.commands import app

PAGE = Path(__file__).with_name("cli.md")
INTRO = "# Commands\n\nWritten by `make docs` from the commands' own help.\n"


def page() -> str:
    """The help of every command, in one page."""
    runner = CliRunner()
    parts = [INTRO]
    for name in ("", *app.commands):
        arguments = [name, "--help"] if name else ["--help"]
        text = runner.invoke(app, arguments, prog_name="annotator", terminal_width=80).output
        parts.append(f"## annotator {name}".rstrip() + f"\n\n```text\n{text.rstrip()}\n```\n")
    return "\n".join(parts)


def main() -> int:
    """Write the page, or with --check compare it."""
    if "--check" not in sys.argv:
        PAGE.write_text(page(), encoding="utf-8")
        return 0
    if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == page():
        return 0
    print("docs/cli.md is out of date: run make docs", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
