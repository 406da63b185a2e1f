"""The frozen travellers that pass from room to room. No I/O here.

`HeadId`, `Token`, `SalientMapping`, `Signatures`, `HeadSummary` and `HeadMap` are what a catalog
holds of a head, `Description` what a language model says of it, `Item` and `Judgment` what people
are asked and answer; `Relation`, `RelationPairs` and `RelationScore` what a head is scored on, and
how; `RowView` and `Hit` answer a question put to a model.
"""

from __future__ import annotations

from annotator.records.annotations import ACCEPTED as ACCEPTED
from annotator.records.annotations import BASELINE as BASELINE
from annotator.records.annotations import CATEGORIES as CATEGORIES
from annotator.records.annotations import PRECISIONS as PRECISIONS
from annotator.records.annotations import REAL as REAL
from annotator.records.annotations import Category as Category
from annotator.records.annotations import Describer as Describer
from annotator.records.annotations import Description as Description
from annotator.records.annotations import Item as Item
from annotator.records.annotations import Judgment as Judgment
from annotator.records.annotations import by_whom as by_whom
from annotator.records.heads import EVIDENCE_SOURCES as EVIDENCE_SOURCES
from annotator.records.heads import EVIDENCE_TARGETS as EVIDENCE_TARGETS
from annotator.records.heads import HeadId as HeadId
from annotator.records.heads import HeadMap as HeadMap
from annotator.records.heads import HeadSummary as HeadSummary
from annotator.records.heads import Hit as Hit
from annotator.records.heads import RowView as RowView
from annotator.records.heads import SalientMapping as SalientMapping
from annotator.records.heads import Signatures as Signatures
from annotator.records.heads import Target as Target
from annotator.records.heads import Token as Token
from annotator.records.relations import FLAG as FLAG
from annotator.records.relations import LEAST_DRAWS as LEAST_DRAWS
from annotator.records.relations import LEAST_PAIRS as LEAST_PAIRS
from annotator.records.relations import Q_LEVEL as Q_LEVEL
from annotator.records.relations import Relation as Relation
from annotator.records.relations import RelationPairs as RelationPairs
from annotator.records.relations import RelationScore as RelationScore
from annotator.records.rows import Rows as Rows
