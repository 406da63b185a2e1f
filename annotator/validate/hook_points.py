"""The parts of a running model that the experiments watch: what attention reads, and each head's z.

z is the input of the output projection, heads side by side: what a head has gathered before W_O.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from annotator.weights.model import Model
from annotator.weights.partial_module import attention_parts


@dataclass(frozen=True)
class Parts:
    """Modules of a running model, by layer.

    Attributes:
        attention: the attention modules.
        output: their output projections.
    """

    attention: tuple[nn.Module, ...]
    output: tuple[nn.Module, ...]


Read = Callable[[int, Float[Tensor, "prompts positions d_model"]], None]
"""Called with a layer and what its attention read, after the norm that feeds it."""

Gathered = Callable[[int, Float[Tensor, "prompts positions d_in"]], Tensor | None]
"""Called with a layer and its z, [prompts, positions, n_heads * d_head]; what it returns, if not
None, goes on in its place."""


def parts_of(model: Model, module: nn.Module) -> Parts:
    """Where the families table says that a module's attention is.

    Args:
        model: the checkpoint.
        module: what `annotator.weights.full_module.module_of` made of it.
    """
    family, layers = model.plan.family, range(model.dims.n_layers)
    attention, output = attention_parts(module, family, family.prefix, layers)
    return Parts(tuple(attention), tuple(output))


@contextmanager
def watch(parts: Parts, *, read: Read | None = None, z: Gathered | None = None) -> Generator[None]:
    """Call back in every forward pass, layer by layer; whatever happens, nothing stays hooked.

    Args:
        parts: of the module that is run.
        read: see `Read`.
        z: see `Gathered`.
    """
    hooks: list[Any] = []
    try:
        for layer, (attention, output) in enumerate(
            zip(parts.attention, parts.output, strict=True)
        ):
            if read is not None:
                hook = _reading(layer, attention, read)
                hooks.append(attention.register_forward_pre_hook(hook, with_kwargs=True))
            if z is not None:
                hooks.append(output.register_forward_pre_hook(_gathering(layer, z)))
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _reading(layer: int, attention: nn.Module, call: Read) -> Callable[..., None]:
    signature = inspect.signature(attention.forward)

    def hook(_: nn.Module, args: Any, kwargs: Any) -> None:
        call(layer, signature.bind_partial(*args, **kwargs).arguments["hidden_states"])

    return hook


def _gathering(layer: int, call: Gathered) -> Callable[..., Any]:
    def hook(_: nn.Module, args: Any) -> Any:
        changed = call(layer, args[0])
        return None if changed is None else (changed, *args[1:])

    return hook
