"""Relations: pairs of words, what counts of them for a model, and how a head scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from annotator.records import html
from annotator.records.heads import HeadId

LEAST_PAIRS = 30
"""A relation is valid for a model with at least so many pairs (Elhelo & Geva 2024, section 4)."""
FLAG = 0.15
"""A head of a larger score implements a relation, as the paper says it."""
LEAST_DRAWS = 20_000
"""A p is found with at least so many, unless Python is told otherwise."""
Q_LEVEL = 0.05
"""The largest q of a score that is told from chance."""


@dataclass(frozen=True)
class Relation:
    """A predefined operation, as pairs of source and target.

    Attributes:
        name: what files and columns call it.
        pairs: source and target words, without a leading space.
        category: algorithmic, knowledge, linguistic, translation, or "own".
        description: one sentence.
        k: how far from the top a target counts, 10 or 1; more where the vocabulary is large.
        prompt: the question of the ablation, `<X>` for the source; None: there is none.
        published: whether it is one of the paper's twenty.
    """

    name: str
    pairs: tuple[tuple[str, str], ...]
    category: str = "own"
    description: str = ""
    k: int = 10
    prompt: str | None = None
    published: bool = False


@dataclass(frozen=True)
class RelationPairs:
    """What counts of a relation for one model.

    Attributes:
        relation: the relation.
        k: how far from the top a target counts for this model.
        ids: the pairs that count, as token ids.
        dropped: how many of the others do not, by reason.
    """

    relation: Relation
    k: int
    ids: tuple[tuple[int, int], ...]
    dropped: Mapping[str, int] = field(default_factory=dict[str, int])

    @property
    def name(self) -> str:
        """The relation's name."""
        return self.relation.name

    @property
    def valid(self) -> bool:
        """Whether the model has enough of them for a score."""
        return len(self.ids) >= LEAST_PAIRS

    @cached_property
    def targets(self) -> Mapping[int, frozenset[int]]:
        """The targets of each source, sources ascending; any of them is a success."""
        found: dict[int, set[int]] = {}
        for source, target in sorted(self.ids):
            found.setdefault(source, set()).add(target)
        return {source: frozenset(targets) for source, targets in found.items()}

    def _repr_html_(self) -> str:
        """How many pairs count, for notebooks."""
        words = "; ".join(f"{source} → {target}" for source, target in self.relation.pairs[:5])
        counting = f"{len(self.ids)} of {len(self.relation.pairs)}"
        values = {
            **{"what": self.relation.description or None, "category": self.relation.category},
            **{"pairs that count": counting, "the others": self.dropped or None},
            **{"valid": self.valid, "k": self.k, "first pairs": words},
        }
        return html.facts(self.name, values)


@dataclass(frozen=True, slots=True)
class RelationScore:
    """How strongly one head implements, or suppresses, one relation.

    Attributes:
        head: which head.
        relation: the relation's name.
        k: how far from the top (or the bottom) a target counts.
        sources: distinct sources, of which the scores are shares.
        phi: the relation score.
        p: share of re-paired relations that score as high; 1 where phi is 0.
        q: p after Benjamini and Hochberg, over all heads, valid relations and both signs.
        suppression: the score on -M.
        suppression_p: the same of it.
        suppression_q: the same of it.
    """

    head: HeadId
    relation: str
    k: int
    sources: int
    phi: float
    p: float
    q: float
    suppression: float
    suppression_p: float
    suppression_q: float

    @property
    def flagged(self) -> bool:
        """The paper's flag: phi above .15."""
        return self.phi > FLAG

    @property
    def implements(self) -> bool:
        """Flagged, and told from chance."""
        return self.flagged and self.q <= Q_LEVEL

    @property
    def suppresses(self) -> bool:
        """The same of the suppression score."""
        return self.suppression > FLAG and self.suppression_q <= Q_LEVEL

    def _repr_html_(self) -> str:
        """Both signs, for notebooks."""
        down = (self.suppression, self.suppression_p, self.suppression_q, self.suppresses)
        signs = {"promotes": (self.phi, self.p, self.q, self.implements), "suppresses": down}
        rows = [[name, *map(html.text, values)] for name, values in signs.items()]
        caption = f"<b>{self.head}</b> on {html.text(self.relation)}, k = {self.k}"
        columns = ("", "score", "p", "q", f"above {FLAG}, and told from chance")
        return html.table(f"{caption}, {self.sources} sources", columns, rows)
