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
from annotator.weights.family import VALUE_BLOCKS, GatedMlp, Linear
from annotator.weights.memory import from_module
from annotator.weights.mlp import Affine, FirstMlp
from annotator.weights.plan import Dims, Plan, make_plan
from annotator.weights.source import Source, TensorBroken, open_source

DTYPES: Mapping[str, torch.dtype] = {
    "float32": torch.float32,
    "float64": torch.float64,
}


@dataclass(frozen=True)
class Heads:
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
    def join(cls, layers: Sequence[Heads]) -> Heads:
        """The heads of several layers as if of one; head h still reads value head h // group."""
        first = layers[0]
        if len(layers) == 1:
            return first
        b_V = None if first.b_V is None else torch.cat([h.b_V for h in layers if h.b_V is not None])
        return cls(torch.cat([h.W_V for h in layers]), b_V, torch.cat([h.W_O for h in layers]))

    def only(self, head: int) -> Heads:
        """The same with one query head and its value head."""
        kv = head // (self.W_O.shape[0] // self.W_V.shape[0])
        b_V = None if self.b_V is None else self.b_V[kv : kv + 1]
        return Heads(self.W_V[kv : kv + 1], b_V, self.W_O[head : head + 1])


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
        return self._read(self.plan.name(self.plan.family.W_E))

    def W_U(self) -> Float[Tensor, "d_model vocab"]:
        """The unembedding: the embedding transposed where the config ties them."""
        return (self.W_E() if self.plan.tied else self._read(self.plan.unembedding)).T

    def embeddings(
        self,
    ) -> tuple[Float[Tensor, "vocab d_model"], Float[Tensor, "d_model vocab"]]:
        """W_E and W_U, sharing memory where the config ties them."""
        W_E = self.W_E()
        return W_E, W_E.T if self.plan.tied else self.W_U()

    def heads(self, layer: int) -> Heads:
        """The value and output projections of one layer, head by head."""
        family, d = self.plan.family, self.dims
        chosen, count = VALUE_BLOCKS[family.values.rule](d.n_heads, d.n_kv_heads)
        blocks = list(chosen)
        value = family.values.linear
        stack = self._matrix(value, layer).unflatten(0, (count, d.d_head))[blocks]
        b_V = self._bias(value, layer)
        W_O = self._matrix(family.output, layer).unflatten(1, (d.n_heads, d.d_head))
        return Heads(
            W_V=stack.transpose(1, 2),
            b_V=None if b_V is None else b_V.unflatten(0, (count, d.d_head))[blocks],
            W_O=W_O.permute(1, 2, 0),
        )

    def first_mlp(self) -> FirstMlp:
        """The first block's MLP and the norm that feeds it."""
        family, plan = self.plan.family, self.plan
        norm, mlp = family.norm, family.mlp
        return FirstMlp(
            kind=norm.kind,
            weight=self._read(plan.name(f"{norm.name}.weight")),
            bias=self._read(plan.name(f"{norm.name}.bias")) if norm.kind == "layer" else None,
            eps=float(plan.setting(norm.eps)),
            activation=str(plan.setting(family.activation)),
            gate=self._affine(mlp.gate) if isinstance(mlp, GatedMlp) else None,
            up=self._affine(mlp.up),
            down=self._affine(mlp.down),
        )

    def _affine(self, linear: Linear) -> Affine:
        return Affine(self._matrix(linear, 0).T, self._bias(linear, 0))

    def _matrix(self, linear: Linear, layer: int) -> Tensor:
        """A linear map's weight as [out, in], whichever way it is stored."""
        weight = self._read(self.plan.name(linear.name.format(layer=layer) + ".weight"))
        return weight if self.plan.family.stored == "out_in" else weight.T

    def _bias(self, linear: Linear, layer: int) -> Tensor | None:
        if not self.plan.has_bias(linear):
            return None
        return self._read(self.plan.name(linear.name.format(layer=layer) + ".bias"))

    def _read(self, name: str) -> Tensor:
        try:
            tensor = self.source.read(name)
        except TensorBroken as broken:  # it was whole when it was verified
            raise CheckpointBroken(self.source.id, [str(broken)]) from broken
        return tensor.to(device=self.device, dtype=self.dtype)


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
