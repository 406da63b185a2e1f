"""Every command: it joins the group as its file is imported."""

from __future__ import annotations

from importlib import import_module

from annotator.cli.app import app as app

FILES = (
    *("quickstart", "map", "row_and_find", "show", "heads", "relations", "validate", "compare"),
    *("describe", "descriptions", "judge", "judge_report", "export", "view", "ledger", "families"),
)
for file in FILES:
    import_module(f"annotator.cli.{file}")
