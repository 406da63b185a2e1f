"""Map every attention head of a language model from its weights, into a catalog.

The names below are the Python API; each does what the CLI command of its name does. A function of a
catalog takes a `Catalog` or its directory. They are loaded on first use, so that importing
annotator costs nothing. All modules within are the tool's own and may change.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from annotator.catalog.read import Catalog as Catalog
    from annotator.catalog.read import open_catalog as open_catalog
    from annotator.errors import AnnotatorError as AnnotatorError
    from annotator.maps.settings import MapSettings as MapSettings
    from annotator.pipeline.check import check as check
    from annotator.pipeline.compare import compare as compare
    from annotator.pipeline.describe import describe_heads as describe_heads
    from annotator.pipeline.export import export as export
    from annotator.pipeline.judge import pull_study as pull_study
    from annotator.pipeline.judge import push_study as push_study
    from annotator.pipeline.judge import study_status as study_status
    from annotator.pipeline.judge_files import export_study as export_study
    from annotator.pipeline.judge_files import import_answers as import_answers
    from annotator.pipeline.judge_items import plan_study as plan_study
    from annotator.pipeline.judge_report import study_report as study_report
    from annotator.pipeline.ledger import backup_ledger as backup_ledger
    from annotator.pipeline.ledger import check_ledger as check_ledger
    from annotator.pipeline.map import map_model as map_model
    from annotator.pipeline.publish import publish as publish
    from annotator.pipeline.quickstart import quickstart as quickstart
    from annotator.pipeline.relations import score_relations as score_relations
    from annotator.pipeline.row_and_find import find as find
    from annotator.pipeline.row_and_find import row as row
    from annotator.pipeline.validate import ablate as ablate
    from annotator.pipeline.validate import correlate as correlate
    from annotator.pipeline.validate import multi_token as multi_token
    from annotator.records import Description as Description
    from annotator.records import HeadId as HeadId
    from annotator.records import HeadMap as HeadMap
    from annotator.records import HeadSummary as HeadSummary
    from annotator.records import Hit as Hit
    from annotator.records import Item as Item
    from annotator.records import Judgment as Judgment
    from annotator.records import Relation as Relation
    from annotator.records import RelationPairs as RelationPairs
    from annotator.records import RelationScore as RelationScore
    from annotator.records import RowView as RowView
    from annotator.records import SalientMapping as SalientMapping
    from annotator.records import Signatures as Signatures
    from annotator.records import Target as Target
    from annotator.records import Token as Token
    from annotator.tokens.relation_files import load_relations as load_relations
    from annotator.weights.in_memory import from_module as from_module
    from annotator.weights.in_memory import from_state_dict as from_state_dict

_HOMES = {
    "annotator.catalog.read": "Catalog open_catalog",
    "annotator.errors": "AnnotatorError",
    "annotator.maps.settings": "MapSettings",
    "annotator.pipeline.row_and_find": "find row",
    "annotator.pipeline.check": "check",
    "annotator.pipeline.compare": "compare",
    "annotator.pipeline.describe": "describe_heads",
    "annotator.pipeline.export": "export",
    "annotator.pipeline.judge": "pull_study push_study study_status",
    "annotator.pipeline.judge_files": "export_study import_answers",
    "annotator.pipeline.judge_items": "plan_study",
    "annotator.pipeline.judge_report": "study_report",
    "annotator.pipeline.ledger": "backup_ledger check_ledger",
    "annotator.pipeline.map": "map_model",
    "annotator.pipeline.publish": "publish",
    "annotator.pipeline.quickstart": "quickstart",
    "annotator.pipeline.relations": "score_relations",
    "annotator.pipeline.validate": "ablate correlate multi_token",
    "annotator.records": "Description HeadId HeadMap HeadSummary Hit Item Judgment Relation "
    "RelationPairs RelationScore RowView SalientMapping Signatures Target Token",
    "annotator.tokens.relation_files": "load_relations",
    "annotator.weights.in_memory": "from_module from_state_dict",
}
_HOME = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = sorted(_HOME)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'annotator' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return list(__all__)
