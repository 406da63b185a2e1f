"""Makes a catalog and its page, in a process of its own: in a test every call is type-checked.

python -m tests.site.making real|made FOLDER
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import annotator
from annotator.pipeline.quickstart import embedded_model
from tests import large_catalog

RELATIONS = ("country_capital", "name_copying", "noun_pronoun", "adjective_comparative")
HOSTILE_MODEL = "<img src=x onerror=alert(1)>"


def real(folder: Path) -> None:
    """SmolLM2, described by the rules, with a few relations, one of them tried in inference."""
    catalog = annotator.map_model(embedded_model(), folder, progress=False)
    annotator.describe_heads(folder, "rules", progress=False)
    relations = [one for one in annotator.load_relations() if one.name in RELATIONS]
    annotator.score_relations(catalog, relations, draws=300, progress=False)
    annotator.correlate(catalog, ["country_capital"], progress=False)


def made(folder: Path) -> None:
    """64 heads that hold what could harm a page; two describers, three raters."""
    large_catalog.mapped(folder, 4, 16)
    large_catalog.related(folder)
    large_catalog.described(folder)
    large_catalog.judged(folder, 60)
    file = folder / "catalog.json"
    manifest = json.loads(file.read_text("utf-8"))
    manifest["model"]["id"] = HOSTILE_MODEL
    file.write_text(json.dumps(manifest), "utf-8")


if __name__ == "__main__":
    kind, folder = sys.argv[1], Path(sys.argv[2])
    {"real": real, "made": made}[kind](folder)
    annotator.export(folder, "site", progress=False)
