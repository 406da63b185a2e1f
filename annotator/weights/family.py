"""What a families table entry can say: the vocabulary in which an architecture is described.

A value-bearing matrix is a stack of d_head-row blocks; a value rule says which blocks are values.
W_O is always the columns (head, d_head). Nothing here looks at a tensor: an entry is a claim, and
the attention oracle in the tests proves it (docs/definitions.md, "Layout of the values").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from annotator.weights.config_expressions import Const, Get, Only, Setting

ValueRule = Literal["separate", "contiguous", "grouped", "codegen"]

VALUE_BLOCKS: Mapping[ValueRule, Callable[[int, int], tuple[Sequence[int], int]]] = (
    MappingProxyType(
        {
            # h query heads, k key/value heads -> (blocks that hold values, blocks in the stack)
            "separate": lambda h, k: (range(k), k),
            "contiguous": lambda h, k: (range(h + k, h + 2 * k), h + 2 * k),
            "grouped": lambda h, k: (range(h // k + 1, h + 2 * k, h // k + 2), h + 2 * k),
            # four partitions, each queries, values, keys
            "codegen": lambda h, k: (
                [h // 4 * (3 * part + 1) + head for part in range(4) for head in range(h // 4)],
                3 * h,
            ),
        }
    )
)


RowRange = Literal["all", "first half", "second half", "even", "odd"]


@dataclass(frozen=True)
class Linear:
    """A linear map in the checkpoint.

    Attributes:
        name: tensor name without prefix and ".weight"; "{layer}" and "{expert}" stand for numbers.
        bias: whether it has one: always, never, or as the config key of that name says.
        stored: whether the weight is kept [out, in] (torch Linear) or [in, out] (Conv1D).
        rows: which of its outputs, where one matrix holds two maps.
        stacked: whether it is one of a stack [experts, ...]; such names carry no ".weight".
    """

    name: str
    bias: bool | str = False
    stored: Literal["out_in", "in_out"] = "out_in"
    rows: RowRange = "all"
    stacked: bool = False

    @property
    def weight(self) -> str:
        """Name of its weight."""
        return self.name if self.stacked else f"{self.name}.weight"

    @property
    def bias_name(self) -> str:
        """Name of its bias."""
        return f"{self.name}_bias" if self.stacked else f"{self.name}.bias"


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
    """A norm over d_model.

    Attributes:
        name: tensor name without prefix and ".weight".
        kind: "layer" subtracts the mean, "rms" does not.
        eps: its epsilon.
        bias: whether it has a bias, if it has parameters.
        offset: what is added to the stored weight.
        affine: whether it has parameters: always, never, or as the config key says.
    """

    name: str
    kind: Literal["layer", "rms"]
    eps: Setting
    bias: bool = False
    offset: int = 0
    affine: bool | str = True


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
class SharedExperts:
    """An expert that every token passes.

    Attributes:
        mlp: the expert.
        width: its hidden width.
        gate: a map to one number, whose sigmoid weighs it; None: it counts whole.
    """

    mlp: GatedMlp
    width: Setting
    gate: Linear | None = None


@dataclass(frozen=True)
class Experts:
    """Experts of which a router picks some for each token; d_mlp is the width of one.

    Attributes:
        router: d_model -> one logit per expert.
        forms: how checkpoints keep the experts; the first form that a source has is read.
        count: how many experts.
        per_token: how many a token passes.
        weighing: "softmax" over all experts before the choice, "chosen softmax" over the chosen
            ones' logits, "sigmoid" of each chosen logit.
        renormalise: whether the chosen weights are divided by their sum.
        weighs_input: whether the weight multiplies the expert's input rather than its output.
        shared: an expert besides, for every token.
    """

    router: Linear
    forms: tuple[GatedMlp, ...]
    count: Setting
    per_token: Setting
    weighing: Literal["softmax", "chosen softmax", "sigmoid"] = "softmax"
    renormalise: Setting = Const(False)
    weighs_input: bool = False
    shared: SharedExperts | None = None


@dataclass(frozen=True)
class Axes:
    """Where axis sizes are. What is absent or null falls back only where stated.

    Attributes:
        vocab: rows of the embedding.
        d_model: width of the residual stream.
        n_layers: blocks.
        n_heads: query heads.
        d_mlp: width of the first MLP's hidden layer.
        n_kv_heads: key/value heads; falls back to n_heads.
        d_head: head width; falls back to d_model / n_heads.
        d_mlp_per_d_model: d_mlp / d_model where d_mlp is null; None: it is required.
    """

    vocab: Setting = "vocab_size"
    d_model: Setting = "hidden_size"
    n_layers: Setting = "num_hidden_layers"
    n_heads: Setting = "num_attention_heads"
    d_mlp: Setting = "intermediate_size"
    n_kv_heads: Setting = Const(None)
    d_head: Setting = Const(None)
    d_mlp_per_d_model: int | None = None


@dataclass(frozen=True)
class End:
    """One end of the residual stream: the embedding or the unembedding.

    Attributes:
        names: tensor names it may have (older checkpoints, modules in memory).
        scale: what it is multiplied by.
        norm: a norm that follows it (the embedding only).
        projection: a map between its own width and d_model, there where the two differ.
        width: its own width; null or None: d_model.
    """

    names: tuple[str, ...]
    scale: Setting = Const(1)
    norm: Norm | None = None
    projection: Linear | None = None
    width: Setting = Const(None)


@dataclass(frozen=True)
class Family:
    """One entry of the families table: a model_type, or one layout of it.

    Attributes:
        model_type: the config's name for the architecture.
        axes: where axis sizes are.
        prefix: what the causal model puts before the names of its decoder's tensors; a checkpoint
            of the bare decoder lacks it.
        W_E: the embedding; its names come after the prefix.
        values: where the value projections are.
        output: the matrix that holds W_O.
        norm: the norm that feeds the first MLP, or None.
        mlp: the first block's MLP.
        activation: the activation's name.
        W_U: the unembedding; the prefix is no part of its names.
        post_norm: a norm of the MLP's output before it is added, or None.
        residual_scale: what a block's parts are multiplied by before they are added.
        positions: learned positions that are added to the embedding; no part of W_E.
        pattern: a config key that must add up to the number of layers and does not enter, with
            what it says of so many; or None.
        normed_sums: whether a block normalises its sums, as before GPT-2.
        variant: which layout of the model_type this is, for people; "" where there is one.
        when: whether a config has this layout; the first entry of its model_type that says so.
        module: the transformers package, where it is not named as the model_type.
        older: (part of a name, what older checkpoints have in its place), or None.
        only: settings handled at some values only, beside those of every family.
        inert: config keys that do not enter the map, beside those of every family.
    """

    model_type: str
    axes: Axes
    prefix: str
    W_E: End
    values: Values
    output: Linear
    norm: Norm | None
    mlp: PlainMlp | GatedMlp | Experts
    activation: Setting
    W_U: End = End(("lm_head.weight",))
    post_norm: Norm | None = None
    residual_scale: Setting = Const(1)
    positions: str = ""
    pattern: tuple[str, Callable[[int], Any]] | None = None
    normed_sums: bool = False
    variant: str = ""
    when: Callable[[Get], bool] | None = None
    module: str = ""
    older: tuple[str, str] | None = None
    only: tuple[Only, ...] = ()
    inert: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The model_type, and which layout of it."""
        return f"{self.model_type}, {self.variant}" if self.variant else self.model_type

    @property
    def source(self) -> str:
        """Permalink to the module that the entry describes."""
        module = self.module or self.model_type
        return f"{TRANSFORMERS}/{module}/modeling_{module}.py"


TRANSFORMERS = "https://github.com/huggingface/transformers/blob/v5.23.0/src/transformers/models"
