"""The oracle: a model's own modules, run on a short random input, against what is cut from it.

With attention pattern A and inputs x, `attn_out - sum_h A_h (x W_V^h + b_V^h) W_O^h` is one
constant vector over positions and prompts, the output bias: shape checks and sums over heads are
blind to wrong cuts, this is not. X is read off the first block with its heads zero-ablated, W_E off
its input, W_U off the logits. A part is proved when what is left over is nothing beside what it
should explain.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from annotator.weights.family import PlainMlp
from annotator.weights.find_family import make_plan
from annotator.weights.in_memory import from_module
from annotator.weights.model import LayerHeads, Model
from annotator.weights.partial_module import attention_parts
from annotator.weights.plan import Plan

LIMITS = {torch.float32: 2e-5, torch.float64: 2e-6}
"""Largest left-over, relative. A wrong cut leaves about 1, an activation that is nearly right 1e-4;
rounding leaves 1e-6, in float64 too, for transformers' norms run in float32."""

PROBE_PROMPTS, POSITIONS = 3, 7


@dataclass(frozen=True)
class Finding:
    """What the oracle says of one part.

    Attributes:
        part: "W_E", "W_U", "source representation" or "heads of layer 3".
        error: the largest left-over, relative to what the part should explain.
        limit: the error up to which a part is proved.
    """

    part: str
    error: float
    limit: float

    @property
    def proved(self) -> bool:
        """Whether the part is what the model's own modules compute."""
        return self.error <= self.limit


@dataclass(frozen=True)
class Observed:
    """What a module did with the short input: as it is, and with block 0's heads ablated."""

    plain: Run
    ablated: Run


def observe(module: nn.Module) -> Observed:
    """Run a causal language model, or the bare decoder of one, on a short random input.

    Its attention, its mode and the random state are as they were afterwards.
    """
    with _eager(module):
        watched = _Watched(module)
        return Observed(watched.run(), watched.run(ablate=True))


def compare(model: Model, seen: Observed, layers: Sequence[int] | None = None) -> list[Finding]:
    """Compare what annotator cuts from a model with what its modules computed.

    Args:
        model: the checkpoint, as annotator reads it.
        seen: what its modules did.
        layers: the layer of the checkpoint that each of the modules' blocks is; None: all of them.

    Returns:
        A finding for W_E, W_U (where the module has an unembedding), the heads of each of those
        layers, and the source representation.
    """
    run, limit = seen.plain, LIMITS[model.dtype]
    left = run.block_in - model.W_E()[run.ids]
    findings = [Finding("W_E", _share(_size(left), run.block_in), limit)]
    if run.logits is not None:
        left = run.logits - run.final @ model.W_U()
        findings.append(Finding("W_U", _share(_spread(left.flatten(0, 1)), run.logits), limit))
    scale = model.plan.settings.number(model.plan.family.residual_scale)
    for at, layer in enumerate(layers or range(model.dims.n_layers)):
        error = attention_error(run.attention[at], model.heads(layer), scale)
        findings.append(Finding(f"heads of layer {layer}", error, limit))
    ablated = seen.ablated
    mlp = model.first_mlp()((ablated.block_in + ablated.positions).flatten(0, 1))
    left = ablated.mlp_out.flatten(0, 1) - mlp
    return [*findings, Finding("source representation", _share(_size(left), mlp), limit)]


def prove(model: Model, module: nn.Module, layers: Sequence[int] | None = None) -> list[Finding]:
    """`observe` and `compare`."""
    return compare(model, observe(module), layers)


@dataclass(frozen=True)
class Attended:
    """What one block's attention read, how it attended, and what it wrote, its bias apart."""

    read: Float[Tensor, "prompts positions d_model"]
    pattern: Float[Tensor, "prompts n_heads positions positions"]
    wrote: Float[Tensor, "prompts positions d_model"]


def attention_error(attended: Attended, heads: LayerHeads, scale: float = 1.0) -> float:
    """How much of what attention wrote the heads leave, relative to it; scale is in W_O."""
    wrote = attended.wrote * scale
    left = wrote.clone()
    for head in range(heads.W_O.shape[0]):
        one = heads.only(head)
        values = attended.read @ one.W_V[0] + (0 if one.b_V is None else one.b_V[0])
        left -= attended.pattern[:, head] @ values @ one.W_O[0]
    return _share(_size(left), wrote)


def _share(left: float, of: Tensor) -> float:
    """What is left over, relative to the size of what it is left of."""
    return left / size if (size := _size(of)) else left


def _spread(rows: Tensor) -> float:
    """How far rows are from one constant vector."""
    return float((rows - rows.mean(dim=0)).abs().max())


def _size(rows: Tensor) -> float:
    return float(rows.abs().max())


@dataclass
class Run:
    """What one pass showed; shapes [prompts, positions, ...].

    Attributes:
        ids: the tokens.
        attention: of each block.
        block_in: what the first block read, learned positions apart.
        positions: the learned positions that were in it, or zeros.
        mlp_out: what the first block's MLP wrote.
        final: what the unembedding read.
        logits: what it made of it; None where there is no unembedding.
    """

    ids: Tensor
    attention: list[Attended]
    block_in: Tensor
    positions: Tensor
    mlp_out: Tensor
    final: Tensor
    logits: Tensor | None


class _Watched:
    """A module with hooks on the parts that the families table names."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self.plan: Plan = make_plan(from_module(module))
        family, root = self.plan.family, self.plan.place.decoder
        self.attention, self.outputs = attention_parts(module, family, root, self._layers())
        first = root + family.output.name.format(layer=0)
        self.block = module.get_submodule(first[: first.index(".0.") + 2])
        learned = family.positions and module.get_submodule(root + family.positions)
        self.positions: nn.Module | None = learned or None
        self.embeddings: nn.Module | None = getattr(module, "get_output_embeddings", _none)()
        if self.plan.projection(family.W_U) and family.W_U.projection:
            self.embeddings = module.get_submodule(root + family.W_U.projection.name)

        # A block that norms its sums shows what its MLP wrote only there.
        mlp = family.mlp
        down = mlp.down.name if family.normed_sums and isinstance(mlp, PlainMlp) else ""
        self.down = module.get_submodule(root + down) if down else None

    def _layers(self) -> range:
        return range(self.plan.dims.n_layers)

    def run(self, *, ablate: bool = False) -> Run:
        """One pass; with ablate, the first block's heads write nothing."""
        seen: dict[Any, tuple[dict[str, Any], Any]] = {}

        def keep(key: Any) -> Callable[..., None]:
            def hook(part: nn.Module, args: Any, kwargs: Any, out: Any) -> None:
                bound = inspect.signature(part.forward).bind_partial(*args, **kwargs)
                seen.setdefault(key, (dict(bound.arguments), out))

            return hook

        watched: dict[Any, nn.Module] = {**dict(enumerate(self.attention)), "block": self.block}
        parts = {"final": self.embeddings, "positions": self.positions, "down": self.down}
        watched |= {key: part for key, part in parts.items() if part is not None}
        hooks = [
            part.register_forward_hook(keep(key), with_kwargs=True) for key, part in watched.items()
        ]
        if ablate:
            hooks.append(self.outputs[0].register_forward_hook(_ablated))
        ids = self._ids()
        try:
            with torch.no_grad():
                out = self.module(ids, output_attentions=True, use_cache=False)
        finally:
            for hook in hooks:
                hook.remove()
        block_in, block_out = seen["block"][0]["hidden_states"], _first(seen["block"][1])
        wrote = seen["down"][1].view_as(block_in) if self.down else block_out - block_in
        positions = seen["positions"][1] if self.positions else torch.zeros(())
        return Run(
            ids=ids,
            attention=[_attended(*seen[at], self.outputs[at]) for at in self._layers()],
            block_in=block_in - positions,
            positions=positions,
            mlp_out=wrote,
            final=_first(tuple(seen["final"][0].values())) if "final" in seen else block_out,
            logits=getattr(out, "logits", None),
        )

    def _ids(self) -> Tensor:
        """Random prompts without the tokens that stand for other modalities."""
        config: dict[str, Any] = self.module.config.to_dict()  # pyright: ignore
        named = [value for key, value in config.items() if "_token_i" in key]
        special = {id for value in named for id in (value if isinstance(value, list) else [value])}
        usable = [id for id in range(self.plan.dims.vocab) if id not in special]
        generator = torch.Generator().manual_seed(1)
        drawn = torch.randint(0, len(usable), (PROBE_PROMPTS, POSITIONS), generator=generator)
        return torch.tensor(usable)[drawn].to(next(self.module.parameters()).device)


def _attended(arguments: dict[str, Any], out: Any, output: nn.Module) -> Attended:
    wrote: Tensor = out[0]
    for added in (arguments.get("residual"), getattr(output, "bias", None)):
        wrote = wrote if added is None else wrote - added.detach()  # BLOOM adds the residual inside
    return Attended(arguments["hidden_states"], out[1], wrote)


def _first(out: Any) -> Tensor:
    return out[0] if isinstance(out, tuple) else out


def _none() -> None:
    return None


def _ablated(_: nn.Module, __: Any, out: Tensor) -> Tensor:
    return torch.zeros_like(out)


@contextmanager
def _eager(module: Any) -> Generator[None]:
    """In evaluation, with attention that shows its pattern, and experts that know float64."""
    configs = [part.config for part in module.modules() if hasattr(part, "config")]
    kept = [{name: getattr(c, name) for name in _CHANGED if hasattr(c, name)} for c in configs]
    modes = [(part, part.training) for part in module.modules()]
    config = module.config.get_text_config()
    try:
        module.eval()
        module.set_attn_implementation("eager")
        if getattr(module.config, "_experts_implementation", None) is not None:
            module.set_experts_implementation("eager")
        if hasattr(config, "final_logit_softcapping"):
            config.final_logit_softcapping = None  # Gemma 2 squashes its logits: no part of W_U
        yield
    finally:
        for part, mode in modes:
            part.training = mode
        for part, values in zip(configs, kept, strict=True):
            for name, value in values.items():
                setattr(part, name, value)


_CHANGED = (
    "_attn_implementation_internal",
    "_experts_implementation_internal",
    "final_logit_softcapping",
)
