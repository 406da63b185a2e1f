"""From a family entry and a config to axis sizes and needed tensors. No tensor is read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from math import inf
from numbers import Real
from typing import Any

from annotator.errors import CheckpointBroken, CheckpointRefused, UnknownFamily
from annotator.weights.families import FAMILIES
from annotator.weights.family import VALUE_BLOCKS, Family, GatedMlp, Linear
from annotator.weights.mlp import ACTIVATIONS
from annotator.weights.source import Source

_ABSENT = object()


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


@dataclass(frozen=True, slots=True)
class Need:
    """A tensor that the maps need.

    Attributes:
        role: its name in the family's table, the same whatever holds the checkpoint.
        name: its name in this source.
        shape: the shape it must have.
    """

    role: str
    name: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Plan:
    """Everything that is known of a model before a tensor is read.

    Attributes:
        source: where tensors come from.
        family: the table's entry.
        dims: axis sizes.
        tied: whether W_U is W_E transposed.
        prefix: what this source puts before the decoder's names.
    """

    source: Source
    family: Family
    dims: Dims
    tied: bool
    prefix: str

    def setting(self, key: str) -> Any:
        """A config value, or what the architecture assumes where the key is absent."""
        return setting(self.source, self.family, key)

    def has_bias(self, linear: Linear) -> bool:
        """Whether a linear map has a bias in this model."""
        return bool(self.setting(linear.bias)) if isinstance(linear.bias, str) else linear.bias

    def name(self, role: str) -> str:
        """A decoder tensor's name in this source."""
        return self.prefix + role

    @property
    def unembedding(self) -> str:
        """The untied unembedding's name: the first of its names that the source has."""
        present = set(self.source.names())
        return next((n for n in self.family.W_U if n in present), self.family.W_U[0])

    def needs(self, layers: Iterable[int] | None = None) -> list[Need]:
        """Every tensor that the maps of some layers need (None: of all), in a fixed order."""
        d, family = self.dims, self.family
        needs = [Need(family.W_E, self.name(family.W_E), (d.vocab, d.d_model))]
        if not self.tied:
            needs.append(Need(family.W_U[0], self.unembedding, (d.vocab, d.d_model)))
        parts = [("weight", (d.d_model,)), ("bias", (d.d_model,))]
        for part, shape in parts if family.norm.kind == "layer" else parts[:1]:
            role = f"{family.norm.name}.{part}"
            needs.append(Need(role, self.name(role), shape))
        ins = (
            [family.mlp.gate, family.mlp.up]
            if isinstance(family.mlp, GatedMlp)
            else [family.mlp.up]
        )
        for linear in ins:
            needs += self._linear(linear, d.d_mlp, d.d_model)
        needs += self._linear(family.mlp.down, d.d_model, d.d_mlp)
        _, blocks = VALUE_BLOCKS[family.values.rule](d.n_heads, d.n_kv_heads)
        for layer in range(d.n_layers) if layers is None else layers:
            needs += self._linear(family.values.linear, blocks * d.d_head, d.d_model, layer)
            needs += self._linear(family.output, d.d_model, d.n_heads * d.d_head, layer, bias=False)
        return needs

    def _linear(
        self, linear: Linear, out: int, into: int, layer: int = 0, *, bias: bool = True
    ) -> list[Need]:
        role = linear.name.format(layer=layer)
        shape = (out, into) if self.family.stored == "out_in" else (into, out)
        needs = [Need(f"{role}.weight", self.name(f"{role}.weight"), shape)]
        if bias and self.has_bias(linear):
            needs.append(Need(f"{role}.bias", self.name(f"{role}.bias"), (out,)))
        return needs


def make_plan(source: Source) -> Plan:
    """Find the family, read the axis sizes, and refuse what the table cannot describe.

    Raises:
        UnknownFamily: a model_type without an entry.
        CheckpointRefused: a quantised checkpoint, or an activation that is not known.
        CheckpointBroken: a config that lacks a size, or whose sizes do not fit together.
    """
    model_type = str(source.config.get("model_type") or "")
    if not model_type:
        raise CheckpointBroken(source.id, ["its config names no model_type"])
    if model_type not in FAMILIES:
        raise UnknownFamily(source.id, model_type, sorted(FAMILIES))
    family = FAMILIES[model_type]
    if source.config.get("quantization_config"):
        raise CheckpointRefused(
            source.id,
            "its config has a quantization_config",
            "Map the unquantised checkpoint, or a GGUF file, which is dequantised here.",
        )
    activation = setting(source, family, family.activation)
    if not isinstance(activation, str) or activation not in ACTIVATIONS:
        raise CheckpointRefused(
            source.id,
            f"{family.activation} = {activation!r} is not known",
            f"Known activations: {', '.join(sorted(ACTIVATIONS))}.",
        )
    dims = _read_dims(source, family)
    if dims.n_layers > len(source.names()):
        problem = (
            f"its config says {dims.n_layers} layers, but it has {len(source.names())} tensors"
        )
        raise CheckpointBroken(source.id, [problem])
    prefixed = any(name.startswith(family.prefix) for name in source.names())
    return Plan(
        source=source,
        family=family,
        dims=dims,
        tied=bool(setting(source, family, "tie_word_embeddings")),
        prefix=family.prefix if prefixed else "",
    )


def setting(source: Source, family: Family, key: str) -> Any:
    """A config value, or what the architecture assumes where the key is absent.

    Raises:
        CheckpointBroken: the key is absent and nothing is assumed.
    """
    value = source.config.get(key, family.defaults.get(key, _ABSENT))
    if value is _ABSENT:
        raise CheckpointBroken(source.id, [f"its config lacks {key!r}"])
    return value


def _eps_problems(source: Source, family: Family) -> list[str]:
    eps = source.config.get(family.norm.eps, family.defaults.get(family.norm.eps))
    if isinstance(eps, bool) or not isinstance(eps, Real) or not 0 <= float(eps) < inf:
        return [f"its config lacks {family.norm.eps!r} as a small number (has {eps!r})"]
    return []


def _read_dims(source: Source, family: Family) -> Dims:
    """Axis sizes; whatever is wrong with them and with the norm's epsilon is named at once."""
    axes, config = family.axes, source.config
    problems = _eps_problems(source, family)

    def size(key: str | None, fallback: int | None = None) -> int:
        value = config.get(key) if key else None
        if value is None:
            value = fallback
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            problems.append(f"its config lacks {key!r} as a positive whole number (has {value!r})")
            return 1
        return value

    d_model, n_heads = size(axes.d_model), size(axes.n_heads)
    n_kv_heads = size(axes.n_kv_heads, fallback=n_heads)
    per_d_model = axes.d_mlp_per_d_model
    d_head_stated = axes.d_head is not None and config.get(axes.d_head) is not None
    if not d_head_stated and d_model % n_heads:
        problems.append(f"d_model {d_model} is not a multiple of n_heads {n_heads}")
    if n_heads % n_kv_heads:
        problems.append(f"n_heads {n_heads} is not a multiple of n_kv_heads {n_kv_heads}")
    dims = Dims(
        vocab=size(axes.vocab),
        d_model=d_model,
        d_head=size(axes.d_head, fallback=max(1, d_model // n_heads)),
        d_mlp=size(axes.d_mlp, fallback=per_d_model * d_model if per_d_model else None),
        n_layers=size(axes.n_layers),
        n_heads=n_heads,
        n_kv_heads=n_kv_heads,
    )
    if problems:
        raise CheckpointBroken(source.id, problems)
    return dims
