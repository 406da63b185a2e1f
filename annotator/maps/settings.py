"""Every setting that enters a head map; all of them are recorded in the catalog's manifest."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from annotator.errors import SettingInvalid

VocabularyChoice = Literal["all", "usable"]
SourceForm = Literal["mlp-after-layer-0", "mlp", "embedding"]
DType = Literal["float32", "float64"]
_CHOICES = {"vocabulary": VocabularyChoice, "source_form": SourceForm, "dtype": DType}


@dataclass(frozen=True, slots=True)
class MapSettings:
    """What is mapped, and how.

    Attributes:
        sources: salient sources kept per head; the first 30 are the published evidence, the rest
            serve as held-out ones.
        targets: targets kept per source.
        suppress: whether the smallest targets are kept too.
        vocabulary: "all" rows of the embedding, as in the paper, or the "usable" ones: without
            special, unused and padding rows, as sources, targets and competitors alike.
        source_form: X. "mlp-after-layer-0": the first MLP's output, the bare embedding in layer 0;
            "mlp": the MLP's output in layer 0 too, as in the paper's published mappings;
            "embedding": the bare embedding throughout, as in its Llama-3.1-70B runs.
        dtype: of the arithmetic.
    """

    sources: int = 45
    targets: int = 5
    suppress: bool = False
    vocabulary: VocabularyChoice = "all"
    source_form: SourceForm = "mlp-after-layer-0"
    dtype: DType = "float32"

    def __post_init__(self) -> None:
        for name, most in (("sources", 10_000), ("targets", 1_000)):
            value = getattr(self, name)
            if not isinstance(value, int) or not 1 <= value <= most:
                raise SettingInvalid(name, value, f"a whole number from 1 to {most}")
        for name, kind in _CHOICES.items():
            if getattr(self, name) not in get_args(kind):
                raise SettingInvalid(
                    name, getattr(self, name), "one of " + ", ".join(get_args(kind))
                )

    def as_dict(self) -> dict[str, Any]:
        """The settings by name, for the manifest."""
        return asdict(self)

    def bare_embedding(self, layer: int) -> bool:
        """Whether X is the bare embedding in this layer."""
        return self.source_form == "embedding" or (
            self.source_form == "mlp-after-layer-0" and layer == 0
        )
