"""Made-up scores of a small model, for what is counted, drawn and printed from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from annotator.catalog.experiment_shards import schema_of
from annotator.records import HeadId, RelationScore
from annotator.validate.ablation_accuracy import Accuracies, Elsewhere
from annotator.validate.compare_models import Comparison, compare
from annotator.validate.experiment import head_rows
from annotator.validate.kv_groups import Scored
from annotator.validate.registry import experiment

DIMS = {"n_layers": 5, "n_heads": 4, "n_kv_heads": 2}
NAMES = ("country_capital", "copying", "own_one")


def relation_score(
    head: str, relation: str, phi: float, q: float = 0.001, suppression: float = 0.0
) -> RelationScore:
    told = (suppression, q, q)
    return RelationScore(HeadId.parse(head), relation, 10, 40, phi, q, q, *told)


def all_scores(
    phi: Mapping[str, Mapping[str, float]], dims: Mapping[str, int] = DIMS
) -> list[RelationScore]:
    """The scores of all heads, 0 but for those named: by relation, by head."""
    heads = [
        f"L{layer}H{head}" for layer in range(dims["n_layers"]) for head in range(dims["n_heads"])
    ]
    return [
        relation_score(head, name, own.get(head, 0.0))
        for name, own in phi.items()
        for head in heads
    ]


def grids(seed: int) -> dict[str, Tensor]:
    """Static and dynamic scores of a relation: [n_layers, n_heads] and 4 templates of them."""
    generator = torch.Generator().manual_seed(seed)
    size = (DIMS["n_layers"], DIMS["n_heads"])
    static = torch.rand(size, generator=generator, dtype=torch.float64) ** 3
    noise = torch.rand(2, 4, *size, generator=generator, dtype=torch.float64) / 3
    return {"static": static, "without": static + noise[0], "with_context": static / 2 + noise[1]}


def score_rows(name: str, scores: Mapping[str, Tensor], **keys: str | int) -> pd.DataFrame:
    """The rows of one relation and template, form or variant."""
    columns: dict[str, Any] = head_rows(scores, **keys)
    return pd.DataFrame({column: columns[column] for column in schema_of(experiment(name)).names})


def correlate_table(names: Sequence[str] = NAMES) -> pd.DataFrame:
    """The table of `correlate`; each relation's grids are those of its place as the seed."""
    tables: list[pd.DataFrame] = []
    for seed, name in enumerate(names):
        found = grids(seed)
        for at in range(4):
            scores = {"static": found["static"]}
            scores |= {side: found[side][at] for side in ("without", "with_context")}
            tables.append(score_rows("correlate", scores, relation=name, template=at))
    return pd.concat(tables, ignore_index=True)


def correlate_facts(names: Sequence[str] = NAMES) -> dict[str, Mapping[str, object]]:
    return {name: {"published": name != "own_one", "k": 10, "sources": 40} for name in names}


def ablate_table(rows: Sequence[tuple[str, str, str, int, str, int, int]]) -> pd.DataFrame:
    """The table of `ablate`: relation, kind, other, step, heads, correct, prompts."""
    return pd.DataFrame(rows, columns=schema_of(experiment("ablate")).names)


ABLATED = (
    Accuracies(
        "country_capital",
        prompts=50,
        base=0.9,
        curve=(0.9, 0.5, 0.1, 0.0, 0.0),
        step=3,
        own=0.0,
        random=(0.9, 0.8, 0.86, 0.9, 0.7),
        controls=(Elsewhere("copying", 0.8, 0.7), Elsewhere("antonym", 1.0, 0.9)),
    ),
    Accuracies("copying", 40, 0.7, (0.7, 0.6, 0.5), 2, 0.5, (0.7,) * 5, (), "no control"),
    Accuracies("antonym", 40, 0.05, (0.05,), reason="the model answers 5 % of its prompts"),
)


def comparison() -> Comparison:
    """Two models, one with grouped values."""
    own = {
        "capital": {"L4H0": 0.6, "L4H1": 0.5, "L3H0": 0.3, "L2H3": 0.1, "L1H2": 0.05},
        "copying": {"L4H0": 0.9, "L4H1": 0.8, "L2H0": 0.1, "L2H2": 0.1, "L1H3": 0.05},
        "plural": {"L4H2": 0.4, "L4H3": 0.3, "L3H2": 0.2, "L2H1": 0.02},
        "none": {"L0H0": 0.1, "L4H1": 0.02},
    }
    other = {**DIMS, "n_kv_heads": 4}
    plain = {name: heads for name, heads in own.items() if name != "plural"}
    small = Scored("a/small-model", DIMS, all_scores(own))
    return compare([small, Scored("another", other, all_scores(plain, other))], draws=200)
