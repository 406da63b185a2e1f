"""Every command, in the order that help lists them."""

from __future__ import annotations

from annotator.cli import (
    catalogs,
    describing,
    exporting,
    families,
    judging,
    maps,
    quickstart,
    relations,
    validating,
    viewing,
)
from annotator.cli.app import app as app

COMMANDS = (
    quickstart,
    maps,
    catalogs,
    exporting,
    viewing,
    relations,
    validating,
    describing,
    judging,
    families,
)
