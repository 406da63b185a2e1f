"""Everything that is known of a model before a tensor is read: which tensors it needs, and where.

`Need` says how one map is kept; `Plan` names them all, from a family's entry and a config.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from annotator.weights.config import ConfigSettings
from annotator.weights.dims import Dims
from annotator.weights.families import TowerPlace
from annotator.weights.family import (
    VALUE_BLOCKS,
    End,
    Experts,
    Family,
    GatedMlp,
    Linear,
    Norm,
    PlainMlp,
    RowRange,
    SharedExperts,
)
from annotator.weights.source import Source


@dataclass(frozen=True, slots=True)
class Need:
    """A tensor that the maps need, or a part of one.

    Attributes:
        role: its name in the family's table, the same whatever holds the checkpoint.
        name: its name in this source.
        shape: the shape that the whole tensor must have as stored.
        index: only this entry of the first axis; None: all of it.
        outputs: which of a linear map's outputs; None: all.
        turned: whether a linear map is kept [in, out].
    """

    role: str
    name: str
    shape: tuple[int, ...]
    index: int | None = None
    outputs: slice | None = None
    turned: bool = False

    def of(self, source: Source) -> Tensor:
        """Read it, as stored.

        Raises:
            TensorBroken: its file cannot be read.
        """
        whole = self.index is None
        tensor = source.read(self.name) if whole else source.read(self.name, self.index)
        if self.outputs is None:
            return tensor
        return tensor[..., self.outputs] if self.turned else tensor[self.outputs]


Pair = tuple[Need, Need | None]
"""A linear map's weight and bias."""


@dataclass(frozen=True)
class Plan:
    """A model, before a tensor is read.

    Attributes:
        source: where tensors come from.
        family: the table's entry.
        dims: axis sizes.
        settings: the config, with what the architecture assumes.
        tied: whether W_U is made from the embedding's tensor.
        place: where this source has the decoder and the unembedding.
    """

    source: Source
    family: Family
    dims: Dims
    settings: ConfigSettings
    tied: bool
    place: TowerPlace

    @cached_property
    def present(self) -> frozenset[str]:
        """Names of the source's tensors."""
        return frozenset(self.source.names())

    def name(self, role: str) -> str:
        """A decoder tensor's name in this source."""
        names = [role, role.replace(*self.family.older)] if self.family.older else [role]
        return self._first(self.place.decoder + name for name in names)

    @property
    def embedding(self) -> str:
        """The embedding's name."""
        return self._first(self.place.decoder + name for name in self.family.W_E.names)

    @property
    def unembedding(self) -> str:
        """The untied unembedding's name."""
        return self._first(self.place.head + name for name in self.family.W_U.names)

    def _first(self, names: Iterable[str]) -> str:
        """The first that the source has, or else the first."""
        options = list(names)
        return next((name for name in options if name in self.present), options[0])

    @property
    def one_matrix(self) -> bool:
        """Whether W_U is W_E transposed, with nothing done to either."""
        return self.tied and all(
            not end.norm and not self.projection(end) and self.settings.number(end.scale) == 1
            for end in (self.family.W_E, self.family.W_U)
        )

    @property
    def n_experts(self) -> int:
        """Experts of the first block; 0 where it is dense."""
        mlp = self.family.mlp
        return int(self.settings.value(mlp.count)) if isinstance(mlp, Experts) else 0

    def constants(self) -> str:
        """What enters the map and no tensor shows; a part that a family lacks is left out."""
        family, settings = self.family, self.settings
        eps = settings.number(family.norm.eps) if family.norm else None
        parts = [f"{settings.value(family.activation)} {eps}\n"]
        for name, norm in (("post norm", family.post_norm), ("W_E norm", family.W_E.norm)):
            parts += [f"{name} {settings.number(norm.eps)}\n"] if norm else []
        ends = {"W_E": family.W_E.scale, "W_U": family.W_U.scale, "residual": family.residual_scale}
        for name, scale in ends.items():
            parts += [f"{name} x {number}\n"] if (number := settings.number(scale)) != 1 else []
        if isinstance(family.mlp, Experts):
            picked = settings.number(family.mlp.per_token)
            parts.append(f"experts {picked} {bool(settings.value(family.mlp.renormalise))}\n")
        return "".join(parts)

    def needs(self, layers: Iterable[int] | None = None) -> list[Need]:
        """Every tensor that the maps of some layers need (None: of all), in a fixed order."""
        chosen = range(self.dims.n_layers) if layers is None else layers
        every = [*self._ends(), *self._first_mlp(), *(n for at in chosen for n in self.heads(at))]
        return [need for need in every if need is not None]

    def _ends(self) -> Iterator[Need | None]:
        W_E, W_U = self.family.W_E, self.family.W_U
        yield self.end(W_E)
        yield self.projection(W_E)
        if W_E.norm:
            yield from self.norm(W_E.norm)
        if not self.tied:
            yield self.end(W_U)
        yield self.projection(W_U)

    def _first_mlp(self) -> Iterator[Need | None]:
        mlp = self.family.mlp
        if self.family.norm:
            yield from self.norm(self.family.norm)
        maps: list[Pair] = []
        if isinstance(mlp, Experts):
            maps.append(self.router(mlp))
            if mlp.shared:
                maps += self.shared(mlp.shared)
                maps += [self.shared_gate(mlp.shared.gate)] if mlp.shared.gate else []
            for index in range(self.n_experts):
                maps += self.expert(mlp, index)
        else:
            maps += self.dense(mlp, self.dims.d_mlp)
        for pair in maps:
            yield from pair
        if self.family.post_norm:
            yield from self.norm(self.family.post_norm)

    def heads(self, layer: int) -> tuple[Need, Need | None, Need]:
        """One layer's value matrix and its bias, and the matrix that holds W_O."""
        family, d = self.family, self.dims
        _, blocks = VALUE_BLOCKS[family.values.rule](d.n_heads, d.n_kv_heads)
        value, bias = self._affine(family.values.linear, blocks * d.d_head, d.d_model, layer=layer)
        output, _ = self._affine(family.output, d.d_model, d.n_heads * d.d_head, layer=layer)
        return value, bias, output

    def end(self, end: End) -> Need:
        """The stored embedding or unembedding."""
        name = self.embedding if end is self.family.W_E else self.unembedding
        return Need(end.names[0], name, (self.dims.vocab, self._width(end)))

    def projection(self, end: End) -> Need | None:
        """The map between an end's own width and d_model, where the two differ."""
        d, width = self.dims.d_model, self._width(end)
        if end.projection is None or width == d:
            return None
        out, into = (d, width) if end is self.family.W_E else (width, d)
        return self._affine(end.projection, out, into)[0]

    def _width(self, end: End) -> int:
        return int(self.settings.value(end.width) or self.dims.d_model)

    def norm(self, norm: Norm) -> Pair | tuple[None, None]:
        """A norm's weight and bias, as far as it has them."""
        if not self.settings.flag(norm.affine):
            return None, None
        roles = [f"{norm.name}.weight", f"{norm.name}.bias"]
        weight, bias = (Need(role, self.name(role), (self.dims.d_model,)) for role in roles)
        return weight, bias if norm.bias else None

    def dense(self, mlp: PlainMlp | GatedMlp, width: int) -> list[Pair]:
        """The maps of a dense MLP: gate where it has one, up, down."""
        d = self.dims.d_model
        ins = [mlp.gate, mlp.up] if isinstance(mlp, GatedMlp) else [mlp.up]
        maps = [self._affine(linear, width, d) for linear in ins]
        return [*maps, self._affine(mlp.down, d, width)]

    def router(self, mlp: Experts) -> Pair:
        """What picks experts."""
        return self._affine(mlp.router, self.n_experts, self.dims.d_model)

    def shared(self, shared: SharedExperts) -> list[Pair]:
        """The maps of the expert that every token passes: gate, up, down."""
        return self.dense(shared.mlp, int(self.settings.value(shared.width)))

    def shared_gate(self, gate: Linear) -> Pair:
        """What weighs the expert that every token passes."""
        return self._affine(gate, 1, self.dims.d_model)

    def expert(self, mlp: Experts, index: int) -> list[Pair]:
        """The maps of one expert, gate, up and down, in the first form that the source has."""
        d, d_mlp = self.dims.d_model, self.dims.d_mlp
        names = [self.name(form.gate.weight.format(expert=0)) for form in mlp.forms]
        held = [form for form, name in zip(mlp.forms, names, strict=True) if name in self.present]
        form, known = (held or mlp.forms)[0], mlp.forms[0]
        return [
            self._affine(form.gate, d_mlp, d, expert=index, known=known.gate),
            self._affine(form.up, d_mlp, d, expert=index, known=known.up),
            self._affine(form.down, d, d_mlp, expert=index, known=known.down),
        ]

    def _affine(
        self,
        linear: Linear,
        out: int,
        into: int,
        *,
        layer: int = 0,
        expert: int | None = None,
        known: Linear | None = None,
    ) -> Pair:
        """A linear map, under the name by which another form of it is known."""
        role, turned = known or linear, linear.stored == "in_out"
        part = "" if role.rows == "all" else f" ({role.rows})"
        part += f" of expert {expert}" if role.stacked else ""

        def need(name: str, known_name: str, shape: tuple[int, ...]) -> Need:
            return Need(
                role=known_name.format(layer=layer, expert=expert) + part,
                name=self.name(name.format(layer=layer, expert=expert)),
                shape=(self.n_experts, *shape) if linear.stacked else shape,
                index=expert if linear.stacked else None,
                outputs=_outputs(linear.rows, out),
                turned=turned and len(shape) == 2,
            )

        held = out if linear.rows == "all" else 2 * out
        weight = need(linear.weight, role.weight, (into, held) if turned else (held, into))
        if not self.settings.flag(linear.bias):
            return weight, None
        return weight, need(linear.bias_name, role.bias_name, (held,))


def _outputs(rows: RowRange, out: int) -> slice | None:
    parts: Mapping[RowRange, slice] = {
        "first half": slice(out),
        "second half": slice(out, None),
        "even": slice(0, None, 2),
        "odd": slice(1, None, 2),
    }
    return parts.get(rows)
