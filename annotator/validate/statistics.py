"""Static against dynamic scores: correlation, and intervals that resample heads.

Notable: a static score stands beside as many dynamic ones as there are templates, so these are not
independent and there is no p-value; a resample draws heads within their layers, and a head takes
all its templates along. A resample is a number of times for each head, so that all of them are a
few matrix products. What is undefined is None, never 0: a side that is constant has no correlation.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

RESAMPLES = 2000
CONFIDENCE = 0.95
_BLOCK = 1 << 22  # numbers of a block of resamples

Interval = tuple[float, float]
Sides = tuple[
    Float[Tensor, " n_heads"], Float[Tensor, " n_heads"], Float[Tensor, "templates n_heads"]
]


def pearson(
    static: Float[Tensor, " n_heads"], dynamic: Float[Tensor, "templates n_heads"]
) -> float | None:
    """Pearson's r over all heads and templates (as Elhelo & Geva 2024 have it).

    Args:
        static: the score of each head, which stands beside all of its dynamic ones.
        dynamic: the score of each head in each template's prompts.

    Returns:
        In [-1, 1]; None where a side is constant, so that there is none.
    """
    once = torch.ones(1, static.shape[0], dtype=torch.float64)
    (r,) = _correlations(static, dynamic, once).tolist()
    return None if r != r else r


def interval(
    static: Float[Tensor, " n_heads"],
    dynamic: Float[Tensor, "templates n_heads"],
    layers: Int[Tensor, " n_heads"],
    draws: int = RESAMPLES,
    seed: int = 0,
    level: float = CONFIDENCE,
) -> Interval | None:
    """The percentile bootstrap interval of `pearson`, heads resampled within layers.

    Args:
        static: the score of each head.
        dynamic: the score of each head in each template's prompts.
        layers: each head's layer.
        draws: resamples.
        seed: the same seed gives the same resamples.
        level: the share of resamples inside.

    Returns:
        Its ends; None where r is undefined, where no layer has two heads, and where more than
        1 - level of the resamples are constant on a side: such an interval would speak of the
        others only.
    """
    if pearson(static, dynamic) is None:
        return None
    blocks = _resamples(layers, draws, seed)
    return _ends(torch.cat([_correlations(static, dynamic, b) for b in blocks]), layers, level)


def median_difference(
    sides: Sequence[Sides],
    layers: Int[Tensor, " n_heads"],
    draws: int = RESAMPLES,
    seed: int = 0,
    level: float = CONFIDENCE,
) -> tuple[float, float, float] | None:
    """How much better one static score correlates than another: the median over relations.

    Both are read on the same resamples of heads, which are the same for all relations.

    Args:
        sides: for each relation two static scores of each head, a and b, and its dynamic scores.
        layers: each head's layer.
        draws: resamples.
        seed: the same seed gives the same resamples.
        level: the share of resamples inside.

    Returns:
        The median of r of a minus r of b, and the ends of its interval, over the relations for
        which both r are defined (in the sample, and of those in each resample); None where there
        is none, or no interval.
    """
    both = [(pearson(a, dynamic), pearson(b, dynamic)) for a, b, dynamic in sides]
    defined = [
        (one, a - b)
        for one, (a, b) in zip(sides, both, strict=True)
        if a is not None and b is not None
    ]
    if not defined:
        return None
    medians = [
        torch.stack([_difference(*one, block) for one, _ in defined]).nanquantile(0.5, dim=0)
        for block in _resamples(layers, draws, seed)
    ]
    ends = _ends(torch.cat(medians), layers, level)
    return None if ends is None else (statistics.median(d for _, d in defined), *ends)


def median_of(values: Iterable[float | None]) -> float | None:
    """The median of those that are defined; None where none is."""
    defined = [value for value in values if value is not None]
    return statistics.median(defined) if defined else None


def _difference(
    static_a: Float[Tensor, " n_heads"],
    static_b: Float[Tensor, " n_heads"],
    dynamic: Float[Tensor, "templates n_heads"],
    times: Float[Tensor, "draws n_heads"],
) -> Float[Tensor, " draws"]:
    return _correlations(static_a, dynamic, times) - _correlations(static_b, dynamic, times)


def _correlations(
    static: Float[Tensor, " n_heads"],
    dynamic: Float[Tensor, "templates n_heads"],
    times: Float[Tensor, "draws n_heads"],
) -> Float[Tensor, " draws"]:
    """Pearson's r with each head counted so many times; NaN where a side is constant."""
    x, y = static.double(), dynamic.double()
    drawn = times > 0
    constant = _constant(x, x, drawn) | _constant(y.amin(0), y.amax(0), drawn)
    x, y = x - x.mean(), y - y.mean()  # nothing changes but the rounding
    moments = torch.stack([x, x * x, y.mean(0), (y * y).mean(0), x * y.mean(0)], dim=1)
    n = times.sum(1, keepdim=True)
    mean_x, mean_xx, mean_y, mean_yy, mean_xy = (times @ moments / n).T
    var_x, var_y = mean_xx - mean_x * mean_x, mean_yy - mean_y * mean_y
    r = (mean_xy - mean_x * mean_y) / (var_x * var_y).sqrt()
    return torch.where(constant | ~r.isfinite(), torch.nan, r.clamp(-1, 1))


def _constant(
    least: Float[Tensor, " n_heads"],
    most: Float[Tensor, " n_heads"],
    drawn: Bool[Tensor, "draws n_heads"],
) -> Bool[Tensor, " draws"]:
    """Whether all that is drawn is one number; a variance would say so only but for rounding."""
    smallest = torch.where(drawn, least, torch.inf).amin(1)
    return smallest == torch.where(drawn, most, -torch.inf).amax(1)


def _resamples(
    layers: Int[Tensor, " n_heads"], draws: int, seed: int
) -> Iterator[Float[Tensor, "draws n_heads"]]:
    """How many times each head is drawn, in blocks of resamples; so many in a layer as it has."""
    generator = torch.Generator().manual_seed(seed)
    n_heads = len(layers)
    order = layers.argsort(stable=True)
    _, layer, sizes = layers[order].unique(return_inverse=True, return_counts=True)
    size, first = sizes[layer], (sizes.cumsum(0) - sizes)[layer]
    for block in torch.arange(draws).split(max(1, _BLOCK // n_heads)):
        where = torch.rand(len(block), n_heads, generator=generator, dtype=torch.float64)
        drawn = order[first + (where * size).long()]
        times = torch.zeros(len(block), n_heads, dtype=torch.float64)
        yield times.scatter_add_(1, drawn, torch.ones_like(times))


def _ends(
    values: Float[Tensor, " draws"], layers: Int[Tensor, " n_heads"], level: float
) -> Interval | None:
    """The middle `level` of what is defined."""
    defined = values[~values.isnan()]
    alone = len(layers.unique()) == len(layers)
    if alone or len(defined) < level * len(values):
        return None
    tail = (1 - level) / 2
    ends = torch.tensor([tail, 1 - tail], dtype=torch.float64)
    low, high = torch.quantile(defined, ends).tolist()
    return low, high
