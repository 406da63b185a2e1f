"""What the experiments of a catalog have given, for whoever writes it out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from annotator.catalog.results import Result

if TYPE_CHECKING:
    import pandas as pd

    from annotator.validate.accuracies import Accuracies


@dataclass(frozen=True)
class Recorded:
    """What there is; an experiment that was not made is in none of these.

    Attributes:
        tables: rows by experiment (correlate, multi_token, variants, ablate), as their schemas in
            `annotator.catalog.validation` have them.
        results: what they come to, by the name that its files have.
        ablations: what silencing did, with whole curves.
    """

    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict[str, "pd.DataFrame"])
    results: Mapping[str, Result] = field(default_factory=dict[str, Result])
    ablations: Sequence[Accuracies] = ()
