"""Many p-values at once: how many of those called small may be chance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from annotator.errors import SettingInvalid


def benjamini_hochberg(p: Sequence[float]) -> list[float]:
    """The q of each p: the smallest false discovery rate at which it is a discovery.

    Benjamini & Hochberg 1995, as adjusted values: q of the i-th smallest of m is the least of
    m p_j / j over j >= i. Calling all q <= level discoveries keeps the expected share of false
    ones among them at or below the level, where tests are independent or positively dependent.

    Args:
        p: all tests of the family, p = 1 included: leaving some out makes the others' q too small.

    Returns:
        One q for each p, in its order; equal p have equal q.

    Raises:
        SettingInvalid: a p that is not from 0 to 1.
    """
    values = np.asarray(p, dtype=np.float64)
    if wrong := values[~((values >= 0) & (values <= 1))].tolist():
        raise SettingInvalid("p", wrong[0], "from 0 to 1")
    m = len(values)
    descending = np.argsort(-values, kind="stable")
    scaled = values[descending] * (m / np.arange(m, 0, -1))  # rounded so, q is no smaller than p
    q = np.empty(m)
    q[descending] = np.minimum.accumulate(scaled)
    return q.tolist()
