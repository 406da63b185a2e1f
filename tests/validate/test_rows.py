"""From tables to rows: each number is that of its own relation, template, form and step."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import pearsonr

from annotator.validate import correlate, multi_token
from annotator.validate.ablation_accuracy import Elsewhere, accuracies, read_step
from annotator.validate.correlation_tables import Correlation, Medians, correlations, medians
from annotator.validate.multi_token import ELEVEN, is_published
from annotator.validate.relation_rows import scores_in
from annotator.validate.variant_differences import differences
from tests.validate.made import (
    NAMES,
    ablate_table,
    correlate_facts,
    correlate_table,
    grids,
    score_rows,
)

DRAWS = 200


def r(seed: int, side: str, static: np.ndarray | None = None) -> float:
    """By scipy, from the made numbers themselves."""
    found = grids(seed)
    own = found["static"].numpy() if static is None else static
    return float(pearsonr(np.tile(own.ravel(), 4), found[side].numpy().ravel()).statistic)


def test_each_relation_has_its_own_r() -> None:
    rows = correlations(correlate_table(), correlate_facts(), DRAWS)
    assert [row.relation for row in rows] == list(NAMES)
    for seed, row in enumerate(rows):
        assert row.without == pytest.approx(r(seed, "without"), abs=1e-12)
        assert row.with_context == pytest.approx(r(seed, "with_context"), abs=1e-12)
        assert row.without_interval is not None
        assert row.without_interval[0] < row.without < row.without_interval[1]
        assert (row.k, row.sources, row.reason, row.form) == (10, 40, None, None)
    assert [row.published for row in rows] == [True, True, False]


def test_the_order_of_rows_does_not_matter() -> None:
    table = correlate_table()
    shuffled = table.sample(frac=1, random_state=3)
    facts = correlate_facts()
    assert correlations(shuffled, facts, DRAWS) == correlations(table, facts, DRAWS)


def test_scores_are_by_template_layer_and_head() -> None:
    table = correlate_table()
    scores = scores_in(table[table["relation"] == NAMES[1]].sample(frac=1, random_state=0))
    assert scores is not None
    found = grids(1)
    assert torch.equal(scores.static, found["static"].flatten())
    assert torch.equal(scores.without, found["without"].flatten(1))
    assert torch.equal(scores.with_context, found["with_context"].flatten(1))
    assert scores.layers.tolist() == [layer for layer in range(5) for _ in range(4)]


def test_what_has_no_r_is_named() -> None:
    table = correlate_table()
    table.loc[table["relation"] == "copying", "with_context"] = 0.0
    table.loc[table["relation"] == "own_one", "static"] = 0.1
    table = table[table["relation"] != "country_capital"]
    facts = correlate_facts()
    facts["country_capital"] = {**facts["country_capital"], "reason": "only 12 pairs"}
    first, second, third = correlations(table, facts, DRAWS)
    assert (first.without, first.with_context, first.reason) == (None, None, "only 12 pairs")
    assert second.without is not None
    assert second.with_context is second.with_interval is None
    assert second.reason == "the dynamic scores with context are the same for all heads"
    assert (third.without, third.reason) == (None, "the static scores are the same for all heads")


def test_an_r_without_an_interval_says_why() -> None:
    table, name = correlate_table(), NAMES[0]
    own = table["relation"] == name
    table.loc[own, "static"] = (own & (table["layer"] == 1) & (table["head"] == 0)).astype(float)
    row = correlations(table, correlate_facts(), DRAWS)[0]
    assert row.without is not None
    assert row.without_interval is row.with_interval is None
    assert row.reason == (
        "no interval: in too many resamples of heads the scores of a side are all the same"
    )


def test_medians_leave_out_what_is_undefined() -> None:
    rows = correlations(correlate_table(), correlate_facts(), DRAWS)
    rows.append(Correlation("synonym", published=True, k=10, sources=3, reason="no scores"))
    theirs, every, *published = medians(rows, "tiny", correlate.PUBLISHED)
    assert theirs.relations == 2
    assert theirs.without == pytest.approx((r(0, "without") + r(1, "without")) / 2)
    assert every.relations == 3
    assert every.with_context == pytest.approx(median(r(n, "with_context") for n in range(3)))
    assert published == [Medians(*one) for one in correlate.PUBLISHED]


def test_medians_of_nothing() -> None:
    none = [Correlation("synonym", published=True, k=10, sources=3, reason="no scores")]
    first, *_ = medians(none, "tiny", correlate.PUBLISHED)
    assert (first.relations, first.without, first.with_context) == (0, None, None)


def multi_token_table() -> pd.DataFrame:
    tables: list[pd.DataFrame] = []
    for seed, form in enumerate(("paper", "natural")):
        found = grids(seed)
        scores = {"static": found["static"], "without": found["without"][2]}
        scores["with_context"] = found["with_context"][2]
        tables.append(score_rows("multi_token", scores, relation="copying", form=form))
    return pd.concat(tables, ignore_index=True)


def test_each_form_has_its_own_r() -> None:
    facts = {
        "copying": {
            **{"published": True, "k": 1, "pairs": {"paper": 20, "natural": 30}},
            "reason": {"paper": None, "natural": None},
        },
        "own_one": {
            **{"published": False, "k": 10, "pairs": {"paper": 4, "natural": 5}},
            "reason": {"paper": "4 pairs, fewer than 10", "natural": "5 pairs, fewer than 10"},
        },
    }
    rows = multi_token.correlations(multi_token_table(), facts, DRAWS)
    assert [(row.relation, row.form, row.sources) for row in rows] == [
        ("copying", "natural", 30),
        ("copying", "paper", 20),
        ("own_one", "natural", 5),
        ("own_one", "paper", 4),
    ]
    for row, seed in zip(rows, (1, 0), strict=False):
        found = grids(seed)
        expected = pearsonr(found["static"].flatten(), found["without"][2].flatten()).statistic
        assert row.without == pytest.approx(float(expected), abs=1e-12)
    assert rows[3].reason == "4 pairs, fewer than 10"
    published = multi_token.PUBLISHED
    found = medians(rows, "tiny", published, is_published)
    named = [one.of for one in found[: -len(published)]]
    assert named == [
        "tiny, natural form, the paper's relations",
        "tiny, natural form, all relations",
        "tiny, paper form, the paper's relations",
        "tiny, paper form, all relations",
    ]
    assert found[0].without == pytest.approx(rows[0].without)
    assert found[2].without == pytest.approx(rows[1].without)
    mine = [replace(row, published=False) for row in rows]
    own = medians(mine, "tiny", published, is_published)
    assert own[0].relations == 0, "a user's own relation is not the paper's"


def test_the_papers_multi_token_relations_are_eleven_that_we_have() -> None:
    data = Path(__file__).parents[2] / "data" / "relations"
    assert len(ELEVEN) == 11
    assert {path.stem for path in data.glob("*.json")} >= ELEVEN


def variants_table() -> pd.DataFrame:
    """A variant that is the paper's score, and one that is another relation's."""
    tables = [
        score_rows("variants", {"static": grids(seed)["static"]}, relation=name, variant=variant)
        for variant, moved in (("same", 0), ("other", 1))
        for name, seed in zip(NAMES[:2], (moved, 1 - moved), strict=True)
    ]
    return pd.concat(tables, ignore_index=True)


def test_variants_are_held_against_the_same_dynamic_scores() -> None:
    rows = differences(correlate_table(), variants_table(), DRAWS)
    assert [(row.variant, row.relation) for row in rows] == [
        *(("same", None), ("same", NAMES[0]), ("same", NAMES[1])),
        *(("other", None), ("other", NAMES[0]), ("other", NAMES[1])),
    ]
    for row in rows[:3]:
        assert row.without_difference == row.with_difference == (0, 0, 0)
    for seed, row in enumerate(rows[4:]):
        swapped = r(seed, "without", grids(1 - seed)["static"].numpy())
        assert row.without == pytest.approx(swapped, abs=1e-12)
        assert row.without_difference is not None
        expected = swapped - r(seed, "without")
        assert row.without_difference[0] == pytest.approx(expected, abs=1e-12)
        assert row.without_difference[1] < expected < row.without_difference[2]
    overall = rows[3]
    assert overall.relations == 2
    gains = [row.with_difference[0] for row in rows[4:] if row.with_difference]
    assert overall.with_difference is not None
    assert overall.with_difference[0] == pytest.approx(sum(gains) / 2)
    assert overall.with_difference[1] < overall.with_difference[2] < 0


def test_an_undefined_variant_is_out_of_the_medians() -> None:
    variants = variants_table()
    variants.loc[(variants["relation"] == NAMES[1]), "static"] = 0.0
    overall, first, second = differences(correlate_table(), variants, DRAWS)[3:]
    assert (second.without, second.without_difference) == (None, None)
    assert overall.relations == 1
    assert overall.without == first.without
    assert overall.without_difference == first.without_difference


def test_where_the_papers_score_is_undefined_a_variant_is_out_of_the_medians() -> None:
    table = correlate_table()
    table.loc[(table["relation"] == NAMES[1]), "static"] = 0.0
    overall, first, second = differences(table, variants_table(), DRAWS)[:3]
    assert second.without is not None
    assert second.without_difference is None
    assert overall.relations == 1
    assert (overall.without, overall.with_context) == (first.without, first.with_context)


@pytest.mark.parametrize(
    ("curve", "step"), [((0.5, 0.2, 0.0, 0.1, 0.0), 2), ((0.5, 0.4), 1), ((0.0, 0.1), 0)]
)
def test_the_step_that_is_read(curve: tuple[float, ...], step: int) -> None:
    assert read_step(curve) == step


OWN = [("a", "own", "", at, "", correct, 20) for at, correct in enumerate((18, 9, 0, 2))]
RANDOM = [("a", "random", str(draw), 2, "", 10 + draw, 20) for draw in range(5)]
CONTROLS = [
    ("a", "control", "b", 0, "", 30, 40),
    ("a", "control", "b", 2, "", 20, 40),
    ("a", "control", "c", 0, "", 9, 10),
    ("a", "control", "c", 2, "", 8, 10),
]


def test_accuracies_are_read_at_the_first_step_of_none() -> None:
    other = [("b", "own", "", at, "", correct, 40) for at, correct in enumerate((30, 20))]
    table = ablate_table([*CONTROLS, *OWN[::-1], *other, *RANDOM]).sample(frac=1, random_state=1)
    first, second, third = accuracies(table, {"a": {}, "b": {}, "d": {"reason": "no prompt"}})
    assert (first.prompts, first.base, first.step, first.own) == (20, 0.9, 2, 0)
    assert first.curve == (0.9, 0.45, 0, 0.1)
    assert sorted(first.random) == [0.5, 0.55, 0.6, 0.65, 0.7]
    assert first.random_mean == pytest.approx(0.6)
    by_name = {one.relation: one for one in first.controls}
    assert by_name == {"b": Elsewhere("b", 0.75, 0.5), "c": Elsewhere("c", 0.9, 0.8)}
    assert first.control_base == pytest.approx(0.825)
    assert first.control_mean == pytest.approx(0.65)
    assert first.reason is None
    assert (second.step, second.own, second.random_mean) == (1, 0.5, None)
    assert second.reason == (
        "the model has fewer than 1 other heads; no other relation is fit to be its control"
    )
    assert (third.base, third.step, third.reason) == (None, None, "no prompt")


def test_a_relation_that_was_dropped_keeps_its_base_accuracy() -> None:
    rows = [("a", "own", "", 0, "", 1, 20)]
    (row,) = accuracies(ablate_table(rows), {"a": {"reason": "5 % are answered"}})
    assert (row.base, row.prompts, row.step, row.reason) == (0.05, 20, None, "5 % are answered")
