"""What a catalog holds of a head, and what a model answers about one."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from annotator.errors import HeadInvalid

if TYPE_CHECKING:
    import pandas as pd


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
                "layer": self.head.layer,
                "head": self.head.head,
                "source_rank": source_rank,
                "source_id": mapping.source.id,
                "source": mapping.source.text,
                "sigma": mapping.sigma,
                "side": side,
                "target_rank": target_rank,
                "target_id": target.token.id,
                "target": target.token.text,
                "logit": target.logit,
            }
            for source_rank, mapping in enumerate(self.mappings)
            for side, targets in (("top", mapping.targets), ("bottom", mapping.suppressed))
            for target_rank, target in enumerate(targets)
        )

    def _repr_html_(self) -> str:
        """A table for notebooks; every token is escaped."""
        columns = ["source", "sigma", "promotes"]
        if any(mapping.suppressed for mapping in self.mappings):
            columns.append("suppresses")
        rows = "".join(
            f"<tr><td><code>{html.escape(mapping.source.text)}</code></td>"
            f"<td>{mapping.sigma:.2f}</td>"
            + "".join(
                _cell(side) for side in (mapping.targets, mapping.suppressed)[: len(columns) - 2]
            )
            + "</tr>"
            for mapping in self.mappings
        )
        numbers = ", ".join(f"{n} {getattr(self.signatures, n):.2g}" for n in Signatures.names())
        header = "".join(f"<th style='text-align:left'>{name}</th>" for name in columns)
        return (
            f"<table><caption>{self.head} ({numbers})</caption>"
            f"<thead><tr>{header}</tr></thead><tbody>{rows}</tbody></table>"
        )


def _cell(targets: tuple[Target, ...]) -> str:
    tokens = " ".join(
        f"<code title='{target.logit:.3f}'>{html.escape(target.token.text)}</code>"
        for target in targets
    )
    return f"<td style='text-align:left'>{tokens}</td>"


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
