"""`annotator check`: the oracle, on a checkpoint of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from annotator.errors import CheckpointRefused, Disproved
from annotator.pipeline.progress import track

if TYPE_CHECKING:
    from torch import nn

    from annotator.weights.proof import Finding
    from annotator.weights.source import Source


def check(
    model: str | Path | nn.Module | Source,
    *,
    revision: str | None = None,
    dtype: str = "float32",
    device: str = "cpu",
    progress: bool = True,
) -> list[Finding]:
    """Run a model's own modules on a short random input, against what annotator cuts from it.

    Args:
        model: a folder or hub id, of which the first and the last layer are run; or a torch module
            in memory, of which all are.
        revision: branch, tag or commit on the hub.
        dtype: arithmetic, "float32" or "float64".
        device: a torch device name.
        progress: show a bar on standard error once two seconds have passed.

    Returns:
        A finding for each part, whether it is proved or not; see `proved`.

    Raises:
        ModelError: the model cannot be read or mapped, or is a GGUF file.
        DeviceUnavailable: a device that torch cannot use here.
    """
    from torch import nn

    from annotator.weights.excerpt import excerpt, quiet
    from annotator.weights.model import open_model
    from annotator.weights.proof import prove
    from annotator.weights.verify import verify

    opened = open_model(model, revision=revision, dtype=dtype, device=device)
    if isinstance(model, nn.Module):
        return prove(opened, model)
    layers = sorted({0, opened.dims.n_layers - 1})
    verify(
        opened.plan,
        lambda needs: track(needs, "Checking", len(needs), unit="tensor", show=progress),
        layers,
    )
    try:
        with quiet():
            module = excerpt(opened.plan, opened.dtype, layers)
            return prove(opened, module.to(opened.device), layers)
    except (RuntimeError, TypeError, ValueError) as error:  # of code that is not ours
        if "memory" in str(error):
            raise
        reason = f"transformers cannot run it in {dtype} ({str(error).splitlines()[0]})"
        raise CheckpointRefused(opened.source.id, reason, "Try the other --dtype.") from error


def refuse_disproved(model: str, findings: list[Finding]) -> None:
    """Nothing, where every part is proved.

    Raises:
        Disproved: some part is not.
    """
    wrong = [finding.part for finding in findings if not finding.proved]
    if wrong:
        raise Disproved(model, wrong)
