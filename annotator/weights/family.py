"""What a families table entry can say: the vocabulary in which an architecture is described.

A value-bearing matrix is a stack of d_head-row blocks; a value rule says which blocks are values.
W_O is always the columns (head, d_head). Nothing here looks at a tensor: an entry is a claim, and
the attention oracle in the tests proves it (DESIGN, house rule 3).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

ValueRule = Literal["separate", "contiguous", "grouped"]

VALUE_BLOCKS: Mapping[ValueRule, Callable[[int, int], tuple[range, int]]] = MappingProxyType(
    {
        # h query heads, k key/value heads -> (blocks that hold values, blocks in the stack)
        "separate": lambda h, k: (range(k), k),
        "contiguous": lambda h, k: (range(h + k, h + 2 * k), h + 2 * k),
        "grouped": lambda h, k: (range(h // k + 1, h + 2 * k, h // k + 2), h + 2 * k),
    }
)


@dataclass(frozen=True)
class Linear:
    """A linear map in the checkpoint.

    Attributes:
        name: tensor name without prefix and ".weight"; "{layer}" stands for the block's number.
        bias: whether it has one: always, never, or as the config key of that name says.
    """

    name: str
    bias: bool | str = False


@dataclass(frozen=True)
class Values:
    """The matrix that holds the value projections.

    Attributes:
        linear: the matrix.
        rule: which of its d_head-row blocks are values.
    """

    linear: Linear
    rule: ValueRule


@dataclass(frozen=True)
class Norm:
    """The norm that feeds the first MLP.

    Attributes:
        name: tensor name without prefix and ".weight".
        kind: "layer" subtracts the mean and has a bias, "rms" does neither.
        eps: config key of its epsilon.
    """

    name: str
    kind: Literal["layer", "rms"]
    eps: str


@dataclass(frozen=True)
class PlainMlp:
    """down(act(up(x))), as in GPT-2."""

    up: Linear
    down: Linear


@dataclass(frozen=True)
class GatedMlp:
    """down(act(gate(x)) * up(x)), as in Llama."""

    gate: Linear
    up: Linear
    down: Linear


@dataclass(frozen=True)
class Axes:
    """Config keys of the axis sizes. A key that is absent or null falls back only where stated.

    Attributes:
        vocab: rows of the embedding.
        d_model: width of the residual stream.
        n_layers: blocks.
        n_heads: query heads.
        d_mlp: width of the first MLP's hidden layer.
        n_kv_heads: key/value heads; falls back to n_heads.
        d_head: head width; falls back to d_model / n_heads.
        d_mlp_per_d_model: d_mlp / d_model where d_mlp's key is null; None: the key is required.
    """

    vocab: str
    d_model: str
    n_layers: str
    n_heads: str
    d_mlp: str
    n_kv_heads: str | None = None
    d_head: str | None = None
    d_mlp_per_d_model: int | None = None


@dataclass(frozen=True)
class Family:
    """One entry of the families table.

    Attributes:
        model_type: the config's name for the architecture.
        source: permalink to the module that the entry describes.
        axes: config keys of the axis sizes.
        prefix: what the causal model puts before the names of its decoder's tensors; a checkpoint
            of the bare decoder lacks it.
        W_E: name of the embedding.
        W_U: names the unembedding may have (older checkpoints, modules in memory), prefix apart.
        values: where the value projections are.
        output: the matrix that holds W_O.
        norm: the norm before the first MLP.
        mlp: the first block's MLP.
        activation: config key of its activation.
        stored: whether linear weights are kept [out, in] (torch Linear) or [in, out] (Conv1D).
        defaults: what the architecture's config class assumes where a key is absent.
    """

    model_type: str
    source: str
    axes: Axes
    prefix: str
    W_E: str
    W_U: tuple[str, ...]
    values: Values
    output: Linear
    norm: Norm
    mlp: PlainMlp | GatedMlp
    activation: str
    stored: Literal["out_in", "in_out"] = "out_in"
    defaults: Mapping[str, Any] = field(default_factory=dict[str, Any])
