"""The first block's MLP with the norm that feeds it: what turns embeddings into X.

`X = MLP_0(norm_2(W_E))`, without the residual (docs/definitions.md, "Source representation";
Elhelo & Geva 2024, section 3).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  (torch's own convention)

ROWS = 2048
"""Rows per block: large enough for full GEMM speed, small enough to stay in cache."""


def _quick_gelu(x: Tensor) -> Tensor:
    return x * (1.702 * x).sigmoid()


def _bloom_gelu(x: Tensor) -> Tensor:
    # BLOOM writes sqrt(2 / pi) with eight digits.
    return 0.5 * x * (1 + torch.tanh(0.79788456 * x * (1 + 0.044715 * x * x)))


def _clamped_swiglu(gate: Tensor, up: Tensor) -> Tensor:
    """gpt-oss: a clamped gate and an up-projection that is clamped and moved by one."""
    gate, up = gate.clamp(max=7.0), up.clamp(-7.0, 7.0)
    return _quick_gelu(gate) * (up + 1)


_gelu_tanh = partial(F.gelu, approximate="tanh")

ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = MappingProxyType(
    {
        "gelu": F.gelu,
        "gelu_fast": _gelu_tanh,
        "gelu_new": _gelu_tanh,
        "gelu_pytorch_tanh": _gelu_tanh,
        "quick_gelu": _quick_gelu,
        "relu": F.relu,
        "relu2": lambda x: F.relu(x).square(),
        "silu": F.silu,
        "swish": F.silu,
    }
)

FIXED: Mapping[str, Callable[[Tensor], Tensor]] = MappingProxyType(
    {**ACTIVATIONS, "bloom_gelu": _bloom_gelu}
)
"""Those that a config may name, and one that only an architecture fixes."""

GATES: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = MappingProxyType(
    {"clamped_swiglu": _clamped_swiglu}
)
"""Gates that are more than an activation times the up-projection; only architectures fix them."""


@dataclass(frozen=True)
class Affine:
    """y = x W (+ b), row vectors. W: [in, out]; b: [out] or None."""

    W: Float[Tensor, "d_in d_out"]
    b: Float[Tensor, " d_out"] | None

    def __call__(self, x: Tensor) -> Tensor:
        """Shape: x [rows, in] -> [rows, out]."""
        return x @ self.W if self.b is None else F.linear(x, self.W.T, self.b)


@dataclass(frozen=True)
class Normalise:
    """A norm over d_model.

    Attributes:
        kind: "layer" or "rms".
        weight: its gain, offset included, or None.
        bias: its shift, or None.
        eps: its epsilon.
    """

    kind: Literal["layer", "rms"]
    weight: Float[Tensor, " d_model"] | None
    bias: Float[Tensor, " d_model"] | None
    eps: float

    def __call__(self, x: Float[Tensor, "rows d_model"]) -> Float[Tensor, "rows d_model"]:
        """Each row normalised."""
        shape = [x.shape[-1]]
        if self.kind == "layer":
            return F.layer_norm(x, shape, self.weight, self.bias, self.eps)
        return F.rms_norm(x, shape, self.weight, self.eps)


@dataclass(frozen=True)
class Dense:
    """An MLP, or one expert.

    Attributes:
        activation: key of `FIXED`, or of `GATES` where it is gated.
        gate: the gate's map, or None for a plain MLP.
        up: d_model -> d_mlp.
        down: d_mlp -> d_model.
    """

    activation: str
    gate: Affine | None
    up: Affine
    down: Affine

    def __call__(self, x: Float[Tensor, "rows d_model"]) -> Float[Tensor, "rows d_model"]:
        """down(act(up(x))), or down(act(gate(x)) * up(x))."""
        if self.gate is None:
            return self.down(FIXED[self.activation](self.up(x)))
        if self.activation in GATES:
            return self.down(GATES[self.activation](self.gate(x), self.up(x)))
        return self.down(FIXED[self.activation](self.gate(x)).mul_(self.up(x)))


@dataclass(frozen=True)
class Router:
    """Which experts a token passes, and with what weights.

    Attributes:
        logits: d_model -> one logit per expert.
        per_token: how many experts a token passes.
        weighing: see `annotator.weights.family.Experts`.
        renormalise: whether the chosen weights are divided by their sum.
    """

    logits: Affine
    per_token: int
    weighing: Literal["softmax", "chosen softmax", "sigmoid"]
    renormalise: bool

    def __call__(self, x: Float[Tensor, "rows d_model"]) -> Float[Tensor, "rows n_experts"]:
        """Each expert's weight for each row; 0 where a row does not pass it."""
        logits = self.logits(x)
        scores = logits.softmax(dim=1) if self.weighing == "softmax" else logits
        top, chosen = scores.topk(self.per_token, dim=1)
        if self.weighing == "chosen softmax":
            top = top.softmax(dim=1)
        elif self.weighing == "sigmoid":
            top = top.sigmoid()
        if self.renormalise:
            top = top / top.sum(dim=1, keepdim=True)
        return torch.zeros_like(logits).scatter(1, chosen, top)


@dataclass(frozen=True)
class Mixture:
    """Experts, read one at a time.

    Attributes:
        router: who passes which.
        expert: reads one.
        weighs_input: whether a weight multiplies an expert's input rather than its output.
    """

    router: Router
    expert: Callable[[int], Dense]
    weighs_input: bool


@dataclass(frozen=True)
class FirstMlp:
    """Norm and MLP of the first block.

    Attributes:
        norm: what feeds the MLP, or None.
        dense: the MLP, or an expert that every token passes, or None.
        dense_gate: a map to one number, whose sigmoid weighs `dense`, or None.
        mixture: experts of which each token passes some, or None.
        post_norm: a norm of the output, or None.
        scale: what the output is multiplied by before it is added.
    """

    norm: Normalise | None
    dense: Dense | None
    dense_gate: Affine | None = None
    mixture: Mixture | None = None
    post_norm: Normalise | None = None
    scale: float = 1.0

    def __call__(self, x: Float[Tensor, "rows d_model"]) -> Float[Tensor, "rows d_model"]:
        """What the block's MLP writes to the residual stream when fed x, block by block of rows."""
        out = torch.zeros_like(x)
        if self.dense is not None:
            for rows, into in zip(x.split(ROWS), out.split(ROWS), strict=True):
                into.copy_(self._always(self.dense, self._normed(rows)))
        if self.mixture is not None:
            self._add_experts(self.mixture, x, out)
        if self.post_norm is not None:
            for into in out.split(ROWS):
                into.copy_(self.post_norm(into))
        return out if self.scale == 1 else out.mul_(self.scale)

    def _normed(self, x: Tensor) -> Tensor:
        return x if self.norm is None else self.norm(x)

    def _always(self, dense: Dense, x: Tensor) -> Tensor:
        return dense(x) if self.dense_gate is None else dense(x) * self.dense_gate(x).sigmoid()

    def _add_experts(self, mixture: Mixture, x: Tensor, out: Tensor) -> None:
        weights = torch.cat([mixture.router(self._normed(rows)) for rows in x.split(ROWS)])
        for index in range(weights.shape[1]):
            passing = weights[:, index].nonzero()[:, 0]
            if len(passing) == 0:
                continue
            expert = mixture.expert(index)
            for rows in passing.split(ROWS):
                share, normed = weights[rows, index, None], self._normed(x[rows])
                if mixture.weighs_input:
                    out[rows] += expert(normed * share)
                else:
                    out[rows] += expert(normed) * share
