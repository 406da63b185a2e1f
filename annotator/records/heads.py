"""What a catalog holds of a head, and what a model answers about one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from annotator.errors import HeadInvalid
from annotator.records import html

if TYPE_CHECKING:
    import pandas as pd

EVIDENCE_SOURCES = 30
EVIDENCE_TARGETS = 5
"""The published evidence: a head's 30 most salient sources, 5 targets each."""


@dataclass(frozen=True, order=True, slots=True)
class HeadId:
    """One attention head, `L23H4`; layers and heads count from 0."""

    layer: int
    head: int

    @classmethod
    def parse(cls, text: str) -> HeadId:
        """Read a head's name.

        Raises:
            HeadInvalid: the text is not of the form L23H4.
        """
        match = re.fullmatch(r"[Ll](\d+)[Hh](\d+)", text.strip(), re.ASCII)
        if match is None:
            raise HeadInvalid(text)
        return cls(int(match[1]), int(match[2]))

    def within(self, n_layers: int, n_heads: int) -> HeadId:
        """This head, if a model of that size has it.

        Raises:
            HeadInvalid: it has not.
        """
        if self.layer >= n_layers or self.head >= n_heads:
            raise HeadInvalid(str(self), n_layers, n_heads)
        return self

    def __str__(self) -> str:
        return f"L{self.layer}H{self.head}"


@dataclass(frozen=True, slots=True)
class Token:
    """A token as a person sees it: its id and its shown text (see `annotator.tokens.display`)."""

    id: int
    text: str


@dataclass(frozen=True, slots=True)
class Target:
    """One entry of a row of the head map: a target token and its logit M[source, target]."""

    token: Token
    logit: float


@dataclass(frozen=True, slots=True)
class SalientMapping:
    """A salient source and what the head maps it to.

    Attributes:
        source: the source token.
        sigma: its saliency ||x W_V W_O|| / ||x||; NaN for a row of zero norm.
        targets: the targets of largest logit, largest first.
        suppressed: the targets of smallest logit, smallest first; empty unless asked for.
    """

    source: Token
    sigma: float
    targets: tuple[Target, ...]
    suppressed: tuple[Target, ...] = ()

    def _repr_html_(self) -> str:
        """A line of the head's table."""
        return _mappings_html("", [self])


@dataclass(frozen=True, slots=True)
class Signatures:
    """What a head's salient mappings look like, in numbers; see `annotator.maps.signatures`.

    All but `strength` lie in [0, 1].
    """

    copy: float
    stem: float
    hub: float
    distinct: float
    script: float
    fragment: float
    focus: float
    strength: float

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """The signatures' names, in their fixed order."""
        return tuple(field.name for field in fields(cls))

    @property
    def telling(self) -> float:
        """How much a head's mappings tell at a glance: strength · (1 - hub) · (1 - fragment)."""
        return self.strength * (1 - self.hub) * (1 - self.fragment)


@dataclass(frozen=True, slots=True)
class HeadSummary:
    """One head's signatures.

    Attributes:
        head: which head.
        kv_head: the key/value head it reads its values from.
        signatures: the numbers that sum up its mappings.
    """

    head: HeadId
    kv_head: int
    signatures: Signatures

    def _repr_html_(self) -> str:
        """Its numbers, for notebooks."""
        numbers = {**_numbers(self.signatures), "telling": self.signatures.telling}
        return html.facts(f"{self.head}, KV head {self.kv_head}", numbers)


@dataclass(frozen=True, slots=True)
class HeadMap:
    """One head's salient mappings, most salient source first.

    Attributes:
        head: which head.
        kv_head: the key/value head it reads its values from.
        mappings: the salient mappings.
        signatures: the numbers that sum them up.
    """

    head: HeadId
    kv_head: int
    mappings: tuple[SalientMapping, ...]
    signatures: Signatures

    def frame(self) -> pd.DataFrame:
        """One row per source and target: the columns of the catalog's maps table."""
        import pandas as pd

        return pd.DataFrame(
            {
                **{"layer": self.head.layer, "head": self.head.head, "source_rank": source_rank},
                **{"source_id": mapping.source.id, "source": mapping.source.text},
                **{"sigma": mapping.sigma, **target},
            }
            for source_rank, mapping in enumerate(self.mappings)
            for target in _target_rows(mapping.targets, mapping.suppressed)
        )

    def _repr_html_(self) -> str:
        """A table for notebooks; every token is escaped."""
        numbers = html.text({**_numbers(self.signatures), "telling": self.signatures.telling})
        caption = f"<b>{self.head}</b>, KV head {self.kv_head}: {numbers}"
        return _mappings_html(caption, self.mappings)


@dataclass(frozen=True, slots=True)
class RowView:
    """One row of a head map: what a head does with one source.

    Attributes:
        head: which head.
        source: the source token.
        sigma: its saliency; NaN for a row of zero norm.
        sigma_rank: how many sources of the vocabulary are more salient (0: the most salient).
        top: the targets of largest logit, largest first.
        bottom: the targets of smallest logit, smallest first.
    """

    head: HeadId
    source: Token
    sigma: float
    sigma_rank: int
    top: tuple[Target, ...]
    bottom: tuple[Target, ...]

    def frame(self) -> pd.DataFrame:
        """One row per target, with the columns of the catalog's maps table that say which."""
        import pandas as pd

        return pd.DataFrame(_target_rows(self.top, self.bottom))

    def _repr_html_(self) -> str:
        """A table for notebooks; every token is escaped."""
        rank = f"sigma {html.text(self.sigma)}, {self.sigma_rank:,} sources are more salient"
        rows = (
            [cell for one in pair for cell in (html.code(one.token.text), html.text(one.logit))]
            for pair in zip(self.top, self.bottom, strict=True)
        )
        caption = f"<b>{self.head}</b> on {html.code(self.source.text)}: {rank}"
        return html.table(caption, ("promotes", "logit", "suppresses", "logit"), rows)


@dataclass(frozen=True, slots=True)
class Hit:
    """Where one head puts one target in one source's row.

    Attributes:
        head: which head.
        rank: logits above the target's, plus equal ones of a smaller id (0: the largest).
        logit: the target's logit.
    """

    head: HeadId
    rank: int
    logit: float

    def _repr_html_(self) -> str:
        """Its numbers, for notebooks."""
        return html.facts(str(self.head), {"rank": self.rank, "logit": self.logit})


def _numbers(signatures: Signatures) -> dict[str, float]:
    return {name: getattr(signatures, name) for name in Signatures.names()}


def _target_rows(top: Sequence[Target], bottom: Sequence[Target]) -> Iterator[dict[str, Any]]:
    for side, targets in (("top", top), ("bottom", bottom)):
        for rank, target in enumerate(targets):
            token = {"target_id": target.token.id, "target": target.token.text}
            yield {"side": side, "target_rank": rank, **token, "logit": target.logit}


def _shown(target: Target) -> tuple[str, float]:
    return target.token.text, target.logit


def _mappings_html(caption: str, mappings: Sequence[SalientMapping]) -> str:
    columns = ["source", "sigma", "promotes"]
    if any(mapping.suppressed for mapping in mappings):
        columns.append("suppresses")
    rows = (
        (html.code(one.source.text), html.text(one.sigma), *sides[: len(columns) - 2])
        for one in mappings
        for sides in [[html.codes(map(_shown, side)) for side in (one.targets, one.suppressed)]]
    )
    return html.table(caption, columns, rows)
