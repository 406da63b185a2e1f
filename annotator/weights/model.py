"""The only place that reshapes a tensor: a plan and a source become W_E, W_U, X's MLP and heads.

Matrices come in the row-vector convention, in the arithmetic's dtype, on the arithmetic's device,
read when asked for and kept by nobody here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from annotator.errors import CheckpointBroken, CheckpointRefused, DeviceUnavailable, SettingInvalid
from annotator.weights.dims import Dims
from annotator.weights.family import VALUE_BLOCKS, End, Experts, Norm
from annotator.weights.find_family import make_plan
from annotator.weights.in_memory import from_module
from annotator.weights.mlp import Affine, Dense, FirstMlp, Mixture, Normalise, Router
from annotator.weights.open_source import open_source
from annotator.weights.plan import Need, Pair, Plan
from annotator.weights.source import Source, TensorBroken

DTYPES: Mapping[str, torch.dtype] = {
    "float32": torch.float32,
    "float64": torch.float64,
}


@dataclass(frozen=True)
class LayerHeads:
    """The heads of one layer. Query head h reads value head h // (n_heads / n_kv_heads).

    Attributes:
        W_V: value projections.
        b_V: their biases, or None.
        W_O: output projections.
    """

    W_V: Float[Tensor, "n_kv_heads d_model d_head"]
    b_V: Float[Tensor, "n_kv_heads d_head"] | None
    W_O: Float[Tensor, "n_heads d_head d_model"]

    @classmethod
    def join(cls, layers: Sequence[LayerHeads]) -> LayerHeads:
        """The heads of several layers as if of one; head h still reads value head h // group."""
        first = layers[0]
        if len(layers) == 1:
            return first
        b_V = None if first.b_V is None else torch.cat([h.b_V for h in layers if h.b_V is not None])
        return cls(torch.cat([h.W_V for h in layers]), b_V, torch.cat([h.W_O for h in layers]))

    def only(self, head: int) -> LayerHeads:
        """The same with one query head and its value head."""
        kv = head // (self.W_O.shape[0] // self.W_V.shape[0])
        b_V = None if self.b_V is None else self.b_V[kv : kv + 1]
        return LayerHeads(self.W_V[kv : kv + 1], b_V, self.W_O[head : head + 1])


class Model:
    """A checkpoint as matrices.

    Args:
        plan: what the model is and where its tensors are.
        dtype: of the arithmetic.
        device: of the arithmetic.
    """

    def __init__(self, plan: Plan, dtype: torch.dtype, device: torch.device) -> None:
        self.plan = plan
        self.dtype = dtype
        self.device = device

    @property
    def dims(self) -> Dims:
        """Axis sizes."""
        return self.plan.dims

    @property
    def source(self) -> Source:
        """Where the tensors come from."""
        return self.plan.source

    def W_E(self) -> Float[Tensor, "vocab d_model"]:
        """The embedding, with whatever the family does to it before the first block."""
        plan, end = self.plan, self.plan.family.W_E
        W_E = self._read(plan.end(end))
        if projection := plan.projection(end):
            W_E = W_E @ self._read(projection).T
        if end.norm:
            W_E = self._norm(end.norm)(W_E)
        return self._scaled(W_E, end)

    def W_U(self) -> Float[Tensor, "d_model vocab"]:
        """The unembedding, with whatever the family does before it, the final norm aside."""
        plan, end = self.plan, self.plan.family.W_U
        W_U = self._read(plan.end(plan.family.W_E if plan.tied else end))
        if projection := plan.projection(end):
            W_U = W_U @ self._read(projection)
        return self._scaled(W_U, end).T

    def embeddings(
        self,
    ) -> tuple[Float[Tensor, "vocab d_model"], Float[Tensor, "d_model vocab"]]:
        """W_E and W_U, sharing memory where they are one matrix."""
        W_E = self.W_E()
        return W_E, W_E.T if self.plan.one_matrix else self.W_U()

    def _scaled(self, matrix: Tensor, end: End) -> Tensor:
        scale = self.plan.settings.number(end.scale)
        return matrix if scale == 1 else matrix * scale

    def heads(self, layer: int) -> LayerHeads:
        """The value and output projections of one layer, head by head."""
        family, d = self.plan.family, self.dims
        chosen, count = VALUE_BLOCKS[family.values.rule](d.n_heads, d.n_kv_heads)
        blocks = list(chosen)
        value, bias, output = self.plan.heads(layer)
        stack = self._read(value).unflatten(0, (count, d.d_head))[blocks]
        W_O = self._read(output).unflatten(1, (d.n_heads, d.d_head))
        scale = self.plan.settings.number(family.residual_scale)
        return LayerHeads(
            W_V=stack.transpose(1, 2),
            b_V=None if bias is None else self._read(bias).unflatten(0, (count, d.d_head))[blocks],
            W_O=W_O.permute(1, 2, 0) if scale == 1 else W_O.permute(1, 2, 0) * scale,
        )

    def first_mlp(self) -> FirstMlp:
        """The first block's MLP and the norms around it."""
        plan, family = self.plan, self.plan.family
        mlp, settings = family.mlp, plan.settings
        dense, gate, mixture = None, None, None
        if not isinstance(mlp, Experts):
            dense = self._dense(plan.dense(mlp, self.dims.d_mlp))
        else:
            mixture = Mixture(
                Router(
                    self._affine(plan.router(mlp)),
                    int(settings.number(mlp.per_token)),
                    mlp.weighing,
                    bool(settings.value(mlp.renormalise)),
                ),
                lambda index: self._dense(plan.expert(mlp, index)),
                mlp.weighs_input,
            )
            if mlp.shared:
                dense = self._dense(plan.shared(mlp.shared))
                gate = self._affine(plan.shared_gate(mlp.shared.gate)) if mlp.shared.gate else None
        return FirstMlp(
            norm=self._norm(family.norm) if family.norm else None,
            dense=dense,
            dense_gate=gate,
            mixture=mixture,
            post_norm=self._norm(family.post_norm) if family.post_norm else None,
            scale=settings.number(family.residual_scale),
        )

    def _norm(self, norm: Norm) -> Normalise:
        weight, bias = (need and self._read(need) for need in self.plan.norm(norm))
        if weight is not None and norm.offset:
            weight = weight + norm.offset
        return Normalise(norm.kind, weight, bias, self.plan.settings.number(norm.eps))

    def _dense(self, maps: list[Pair]) -> Dense:
        """An MLP from its maps: gate where it has one, up, down."""
        affine = [self._affine(pair) for pair in maps]
        gate = affine[0] if len(affine) == 3 else None
        activation = str(self.plan.settings.value(self.plan.family.activation))
        return Dense(activation, gate, affine[-2], affine[-1])

    def _affine(self, pair: Pair) -> Affine:
        weight, bias = pair
        return Affine(self._read(weight).T, None if bias is None else self._read(bias))

    def _read(self, need: Need) -> Tensor:
        """A tensor or the wanted part of it; a linear map as [out, in], however it is kept."""
        try:
            tensor = need.of(self.source)
        except TensorBroken as broken:  # it was whole when it was verified
            raise CheckpointBroken(self.source.id, [str(broken)]) from broken
        tensor = tensor.to(device=self.device, dtype=self.dtype)
        return tensor.T if need.turned else tensor


def open_model(
    model: str | Path | nn.Module | Source,
    *,
    revision: str | None = None,
    dtype: str = "float32",
    device: str = "cpu",
) -> Model:
    """Open a model for mapping; no tensor is read yet.

    Args:
        model: a folder, a .gguf file, a hub id, a module in memory, or a `Source`.
        revision: branch, tag or commit on the hub.
        dtype: arithmetic, one of `DTYPES`.
        device: a torch device name.

    Raises:
        ModelError: the model is not there, refused, broken or unknown.
        SettingInvalid: a dtype that is not offered.
        DeviceUnavailable: a device that torch cannot use here.
    """
    if dtype not in DTYPES:
        raise SettingInvalid("dtype", dtype, "one of " + ", ".join(DTYPES))
    try:
        where = torch.device(device)
        if where.type not in ("cpu", "cuda"):
            raise DeviceUnavailable(device, "annotator computes on cpu and cuda")
        torch.zeros(1, device=where).item()
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0].split(". ")[0].rstrip(".")
        raise DeviceUnavailable(device, reason) from error
    return Model(make_plan(_source(model, revision)), DTYPES[dtype], where)


def _source(model: Any, revision: str | None) -> Source:
    if isinstance(model, nn.Module):
        return from_module(model)
    if isinstance(model, str | Path):
        return open_source(model, revision)
    if isinstance(model, Source):
        return model
    raise CheckpointRefused(
        f"a {type(model).__name__}",
        "it is neither a path, a hub id, a module nor a Source",
        "Give a state dict its config: annotator.from_state_dict(tensors, config, id).",
    )
