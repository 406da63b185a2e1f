"""Every command: it joins the group as its file is imported."""

from __future__ import annotations

from annotator.cli import (  # noqa: F401
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
