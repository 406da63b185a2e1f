"""Correlations and their intervals against scipy, numpy and loops that resample one by one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import pearsonr
from torch import Tensor

from annotator.validate.statistics import interval, median_difference, median_of, pearson

N_LAYERS, N_HEADS, TEMPLATES = 6, 9, 4


@pytest.fixture(scope="module")
def scores() -> tuple[Tensor, Tensor, Tensor]:
    """Shares of 60 sources: few heads of large scores, dynamic ones that follow them."""
    generator = torch.Generator().manual_seed(3)
    heads = N_LAYERS * N_HEADS
    static = torch.rand(heads, generator=generator, dtype=torch.float64) ** 6
    noise = torch.rand(TEMPLATES, heads, generator=generator, dtype=torch.float64) * 0.3
    dynamic = (static * 0.7 + noise).clamp(0, 1)
    layers = torch.arange(N_LAYERS).repeat_interleave(N_HEADS)
    return (static * 60).round() / 60, (dynamic * 60).round() / 60, layers


def reference(static: Tensor, dynamic: Tensor) -> float:
    x = np.tile(static.numpy(), len(dynamic))
    return float(pearsonr(x, dynamic.numpy().ravel()).statistic)


def quick(static: Tensor, dynamic: Tensor) -> float:
    """The same by numpy, in a tenth of the time: for thousands of resamples."""
    x = np.tile(static.numpy(), len(dynamic))
    return float(np.corrcoef(x, dynamic.numpy().ravel())[0, 1])


def test_r_is_scipys(scores: tuple[Tensor, Tensor, Tensor]) -> None:
    static, dynamic, _ = scores
    assert pearson(static, dynamic) == pytest.approx(reference(static, dynamic), abs=1e-12)
    assert quick(static, dynamic) == pytest.approx(reference(static, dynamic), abs=1e-12)


shares = st.lists(st.integers(0, 40), min_size=3, max_size=12)


@given(shares, st.data())
def test_r_is_scipys_for_any_shares(static: list[int], data: st.DataObject) -> None:
    n = len(static)
    row = st.lists(st.integers(0, 40), min_size=n, max_size=n)
    dynamic = data.draw(st.lists(row, min_size=1, max_size=4))
    x, y = torch.tensor(static).double() / 40, torch.tensor(dynamic).double() / 40
    found = pearson(x, y)
    if len(set(static)) == 1 or len({number for numbers in dynamic for number in numbers}) == 1:
        assert found is None
    else:
        assert found == pytest.approx(reference(x, y), abs=1e-9)


@pytest.mark.parametrize("value", [0.0, 0.1, 1 / 3, 1.0])
def test_a_constant_side_has_no_r(value: float) -> None:
    constant = torch.full((7,), value, dtype=torch.float64)
    other = torch.arange(14, dtype=torch.float64).view(2, 7) / 14
    layers = torch.zeros(7, dtype=torch.int64)
    assert pearson(constant, other) is None
    assert interval(constant, other, layers) is None
    assert median_difference([(constant, other[0], other)], layers) is None
    assert median_difference([(other[0], constant, other)], layers) is None
    assert pearson(other[0], constant.expand(2, 7)) is None


def naive_resamples(layers: Tensor, draws: int, seed: int) -> list[list[int]]:
    random = np.random.default_rng(seed)
    own = [np.flatnonzero(layers.numpy() == layer) for layer in layers.unique().tolist()]
    return [
        [int(at) for heads in own for at in random.choice(heads, len(heads))] for _ in range(draws)
    ]


def test_the_interval_is_that_of_a_naive_bootstrap(scores: tuple[Tensor, Tensor, Tensor]) -> None:
    """Of other random numbers: their ends differ by the noise of the draws."""
    static, dynamic, layers = scores
    values = [quick(static[at], dynamic[:, at]) for at in naive_resamples(layers, 4000, 5)]
    low, high = np.quantile(values, [0.025, 0.975])
    found = interval(static, dynamic, layers, draws=4000)
    assert found == pytest.approx((low, high), abs=0.02)
    narrower = interval(static, dynamic, layers, draws=4000, level=0.5)
    assert narrower == pytest.approx(tuple(np.quantile(values, [0.25, 0.75])), abs=0.006)


def test_the_difference_is_that_of_a_naive_bootstrap(scores: tuple[Tensor, Tensor, Tensor]) -> None:
    static, dynamic, layers = scores
    other = (static + 0.2 * static.roll(1)).clamp(0, 1)
    values = [
        quick(static[at], dynamic[:, at]) - quick(other[at], dynamic[:, at])
        for at in naive_resamples(layers, 4000, 5)
    ]
    found = median_difference([(static, other, dynamic)], layers, draws=4000)
    assert found is not None
    difference = reference(static, dynamic) - reference(other, dynamic)
    assert found[0] == pytest.approx(difference, abs=1e-12)
    assert found[1:] == pytest.approx(tuple(np.quantile(values, [0.025, 0.975])), abs=0.012)


def test_a_score_does_not_differ_from_itself(scores: tuple[Tensor, Tensor, Tensor]) -> None:
    static, dynamic, layers = scores
    assert median_difference([(static, static.clone(), dynamic)], layers) == (0, 0, 0)


def test_heads_are_resampled_within_their_layers() -> None:
    """Where all heads of a layer are alike, a resample within layers is the sample itself."""
    layers = torch.tensor([0, 1, 2, 0, 1, 2])
    static = torch.tensor([0.1, 0.5, 0.2, 0.1, 0.5, 0.2], dtype=torch.float64)
    dynamic = torch.stack([static.roll(3) * 0.5, static**2])
    r = pearson(static, dynamic)
    assert r is not None
    assert interval(static, dynamic, layers) == pytest.approx((r, r), abs=1e-12)
    mixed = interval(static, dynamic, torch.zeros_like(layers))
    assert mixed is not None
    assert mixed[1] - mixed[0] > 0.01


def test_the_order_of_heads_does_not_matter(scores: tuple[Tensor, Tensor, Tensor]) -> None:
    static, dynamic, layers = scores
    order = torch.randperm(len(static), generator=torch.Generator().manual_seed(1))
    assert pearson(static[order], dynamic[:, order]) == pytest.approx(pearson(static, dynamic))
    found = interval(static[order], dynamic[:, order], layers[order])
    assert found == pytest.approx(interval(static, dynamic, layers), abs=0.02)


def test_a_head_takes_its_templates_along() -> None:
    """Resampling the cells instead would be narrower by about the root of the templates."""
    generator = torch.Generator().manual_seed(0)
    static = torch.rand(200, generator=generator, dtype=torch.float64)
    once = (static + torch.rand(200, generator=generator, dtype=torch.float64))[None]
    layers = torch.zeros(200, dtype=torch.int64)
    one = interval(static, once, layers)
    four = interval(static, once.repeat(4, 1), layers)
    assert one == pytest.approx(four, abs=1e-12)


def test_the_same_seed_gives_the_same_interval(scores: tuple[Tensor, Tensor, Tensor]) -> None:
    first = interval(*scores, draws=500, seed=1)
    assert first == interval(*scores, draws=500, seed=1)
    assert first != interval(*scores, draws=500, seed=2)


def test_blocks_of_resamples_are_one_run(
    scores: tuple[Tensor, Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = interval(*scores, draws=500)
    monkeypatch.setattr("annotator.validate.statistics._BLOCK", 1000)
    assert interval(*scores, draws=500) == pytest.approx(whole, abs=1e-12)


def test_no_interval_where_a_resample_is_often_constant() -> None:
    """One head of a score above 0: a third of the resamples do not draw it."""
    static = torch.zeros(18, dtype=torch.float64)
    static[4] = 0.5
    dynamic = torch.rand(4, 18, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    layers = torch.arange(2).repeat_interleave(9)
    assert pearson(static, dynamic) is not None
    assert interval(static, dynamic, layers) is None


def test_no_interval_where_every_layer_has_one_head() -> None:
    static = torch.tensor([0.1, 0.2, 0.4], dtype=torch.float64)
    assert interval(static, static[None] ** 2, torch.arange(3)) is None


def test_undefined_values_are_out_of_the_median() -> None:
    assert median_of([0.9, None, 0.1, 0.5]) == 0.5
    assert median_of([0.9, 0.1, None]) == pytest.approx(0.5)
    assert median_of([None]) is None
    assert median_of([]) is None
