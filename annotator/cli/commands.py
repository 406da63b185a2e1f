"""Every command, in the order that help lists them."""

from __future__ import annotations

from annotator.cli import (
    catalogs,
    describing,
    families,
    judging,
    maps,
    quickstart,
    relations,
    validating,
)
from annotator.cli.app import app as app

COMMANDS = (quickstart, maps, catalogs, relations, validating, describing, judging, families)
