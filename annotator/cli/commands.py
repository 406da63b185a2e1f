"""Every command, in the order that help lists them."""

from __future__ import annotations

from annotator.cli import (
    ask,
    compare,
    describe,
    descriptions,
    export,
    families,
    heads,
    judge,
    judge_report,
    map,
    quickstart,
    relations,
    show,
    validate,
    view,
)
from annotator.cli.app import app as app

COMMANDS = (
    quickstart,
    map,
    ask,
    show,
    heads,
    export,
    view,
    relations,
    validate,
    compare,
    describe,
    descriptions,
    judge,
    judge_report,
    families,
)
