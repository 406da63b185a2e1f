"""Axis sizes, read from a config; whatever is wrong with it is named at once."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from annotator.errors import CheckpointBroken
from annotator.weights.config import ConfigSettings
from annotator.weights.config_expressions import Setting, named
from annotator.weights.family import VALUE_BLOCKS, Experts, Family, Norm


@dataclass(frozen=True, slots=True)
class Dims:
    """Axis sizes; the names are those of `annotator.shapes.AXES`."""

    vocab: int
    d_model: int
    d_head: int
    d_mlp: int
    n_layers: int
    n_heads: int
    n_kv_heads: int

    def as_dict(self) -> dict[str, int]:
        """The sizes by axis name."""
        return asdict(self)


MOST_COUNTED, MOST = 2**16, 2**31
"""Of heads, layers or experts; of rows or columns. More is a mistake, and would fill the memory."""


class _Sizes:
    """Reads positive whole numbers, and remembers what is none."""

    def __init__(self, settings: ConfigSettings) -> None:
        self.settings = settings
        self.problems: list[str] = []

    def size(self, setting: Setting, fallback: int | None = None, most: int = MOST) -> int:
        value = self.settings.value(setting)
        if value is None:
            value = fallback
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            lacks = f"its config lacks {named(setting)!r}"
            self.problems.append(f"{lacks} as a positive whole number (has {value!r:.60})")
            return 1
        if value > most:
            self.problems.append(f"its config has {named(setting)!r} above {most:,}")
            return 1
        return value

    def count(self, setting: Setting, fallback: int | None = None) -> int:
        return self.size(setting, fallback, MOST_COUNTED)

    def number(self, setting: Setting) -> None:
        try:
            if self.settings.number(setting) < 0:
                self.problems.append(f"its config has {named(setting)!r} below zero")
        except CheckpointBroken as broken:
            self.problems += broken.problems


def read_dims(settings: ConfigSettings, family: Family) -> Dims:
    """Axis sizes.

    Raises:
        CheckpointBroken: sizes that are missing, no sizes, or do not fit together, and numbers of
            the norms and multipliers that are none.
    """
    axes, sizes = family.axes, _Sizes(settings)
    _check_numbers(sizes, family)
    d_model, n_heads = sizes.size(axes.d_model), sizes.count(axes.n_heads)
    n_kv_heads = sizes.count(axes.n_kv_heads, fallback=n_heads)
    stated = settings.value(axes.d_head) is not None
    if not stated and d_model % n_heads:
        sizes.problems.append(f"d_model {d_model} is not a multiple of n_heads {n_heads}")
    if n_heads % n_kv_heads:
        problem = f"n_heads {n_heads} is not a multiple of n_kv_heads {n_kv_heads}"
        sizes.problems.append(problem)
    elif len(VALUE_BLOCKS[family.values.rule](n_heads, n_kv_heads)[0]) != n_kv_heads:
        sizes.problems.append(f"{n_heads} heads do not make the four partitions of CodeGen")
    per_d_model = axes.d_mlp_per_d_model
    for end in (family.W_E, family.W_U):
        sizes.size(end.width, fallback=d_model)
    dims = Dims(
        vocab=sizes.size(axes.vocab),
        d_model=d_model,
        d_head=sizes.size(axes.d_head, fallback=max(1, d_model // n_heads)),
        d_mlp=sizes.size(axes.d_mlp, fallback=per_d_model * d_model if per_d_model else None),
        n_layers=sizes.count(axes.n_layers),
        n_heads=n_heads,
        n_kv_heads=n_kv_heads,
    )
    if sizes.problems:
        raise CheckpointBroken(settings.model, sizes.problems)
    return dims


def _check_numbers(sizes: _Sizes, family: Family) -> None:
    norms: list[Norm | None] = [family.norm, family.post_norm, family.W_E.norm]
    for norm in norms:
        if norm is not None:
            sizes.number(norm.eps)
    for scale in (family.W_E.scale, family.W_U.scale, family.residual_scale):
        sizes.number(scale)
    mlp = family.mlp
    if isinstance(mlp, Experts):
        count, chosen = sizes.count(mlp.count), sizes.count(mlp.per_token)
        if chosen > count:
            sizes.problems.append(f"it has {count} experts, of which a token passes {chosen}")
        if mlp.shared:
            sizes.size(mlp.shared.width)
