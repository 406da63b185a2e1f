"""What a model and its raters are called where others read it.

Raters are R1, R2, ... in the order of their first answers: the ledger only grows, so that they stay
who they are. How describers are called, `annotator.catalog.describers` says.
"""

from __future__ import annotations

from annotator.catalog.describers import FOLDER_LIKE, SLASH
from annotator.catalog.manifest import Manifest
from annotator.catalog.read import Catalog


def public_model(manifest: Manifest) -> str:
    """A model's name; of one in a folder, the last part."""
    name = str(manifest.model["id"])
    local = manifest.model.get("revision") is None and FOLDER_LIKE.match(name)
    return SLASH.split(name.rstrip("/\\"))[-1] if local else name


def pseudonyms(catalog: Catalog) -> dict[str, str]:
    """Every rater's pseudonym, by the name in the ledger.

    Raises:
        LedgerUnusable: the ledger, where they are, cannot be read.
    """
    if catalog.ledger is None or not catalog.ledger.is_file():
        return {}
    from annotator.ledger.judgments import Judgments
    from annotator.ledger.ledger import Ledger

    with Ledger(catalog.ledger, read_only=True) as ledger:
        raters = dict.fromkeys(one.rater for one in Judgments(ledger).all())
    return {rater: f"R{number}" for number, rater in enumerate(raters, start=1)}
