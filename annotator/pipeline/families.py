"""`annotator families`: what is supported, from the table itself."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files

from annotator.weights.families import FAMILIES, WRAPPERS
from annotator.weights.family import Experts, Family, GatedMlp, Norm
from annotator.weights.gguf_architectures import ARCHITECTURES


@dataclass(frozen=True)
class FamilyRow:
    """One entry of the families table, in words.

    Attributes:
        model_type: the config's name for the architecture.
        variant: which of its layouts; "" where there is one.
        values: which rule cuts its values.
        mlp: its first MLP.
        norm: what feeds that MLP, and what follows it.
        gguf: the GGUF architecture that is read as it, or "".
        layouts: on how many tiny models of transformers' own it is proved.
    """

    model_type: str
    variant: str
    values: str
    mlp: str
    norm: str
    gguf: str
    layouts: int


def families() -> list[FamilyRow]:
    """Every entry of the families table, by model_type."""
    gguf = {architecture.model_type: name for name, architecture in ARCHITECTURES.items()}
    proofs = files("annotator.weights.families").joinpath("proofs.json").read_text("utf-8")
    layouts: dict[str, list[str]] = json.loads(proofs)
    return [
        FamilyRow(
            model_type=entry.model_type,
            variant=entry.variant,
            values=entry.values.rule,
            mlp=_mlp(entry),
            norm=_norms(entry),
            gguf=gguf.get(model_type, ""),
            layouts=len(layouts.get(entry.name, ())),
        )
        for model_type, entries in FAMILIES.items()
        for entry in entries
    ]


def wrappers() -> list[str]:
    """Multimodal model types whose text tower is mapped where it is one of the table's."""
    return sorted(WRAPPERS)


def _mlp(family: Family) -> str:
    mlp = family.mlp
    if isinstance(mlp, Experts):
        return "experts, shared" if mlp.shared else "experts"
    if not isinstance(mlp, GatedMlp):
        return "plain"
    return "gated" if mlp.up.rows == "all" else "gated, fused"


def _norms(family: Family) -> str:
    before = _norm(family.norm) if family.norm else "none"
    return f"{before}, then {_norm(family.post_norm)}" if family.post_norm else before


def _norm(norm: Norm) -> str:
    offset = f"+{norm.offset}" if norm.offset else ""
    return norm.kind + offset + ("" if norm.affine else ", bare")
