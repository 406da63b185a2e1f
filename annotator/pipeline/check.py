"""`annotator check`: the oracle, on a checkpoint of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from annotator.errors import AnnotatorError, CheckpointRefused, Disproved
from annotator.pipeline.open_model import open_model

if TYPE_CHECKING:
    from torch import nn

    from annotator.weights.model import Model
    from annotator.weights.oracle import Finding, Observed
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
        model: a folder, a hub id, or a torch module in memory, which is read and not run: of each
            the first and the last layer are run, as transformers builds them.
        revision: branch, tag or commit on the hub.
        dtype: arithmetic, "float32" or "float64".
        device: a torch device name.
        progress: show a bar on standard error once two seconds have passed.

    Returns:
        A finding for each part, whether it is proved or not; see `proved`.

    Raises:
        ModelError: the model cannot be read, mapped, or run by transformers; or is a GGUF file.
        DeviceUnavailable: a device that torch cannot use here.
    """
    from annotator.weights.oracle import compare

    found = open_model(model, dtype, revision, None, device, progress)
    opened = found.model
    layers = sorted({0, opened.dims.n_layers - 1})
    found.check(layers)
    return compare(opened, _observed(opened, layers, dtype), layers)


def _observed(model: Model, layers: list[int], dtype: str) -> Observed:
    """What transformers' modules do; whatever they fail with is said in one line."""
    from annotator.weights.oracle import observe
    from annotator.weights.partial_module import excerpt, quiet

    try:
        with quiet():
            return observe(excerpt(model.plan, model.dtype, layers).to(model.device))
    except AnnotatorError:
        raise
    except Exception as error:
        if isinstance(error, MemoryError) or "memory" in str(error):
            raise
        said = f"{type(error).__name__}: {' '.join(str(error).split())}"
        reason = f"transformers cannot run its blocks in {dtype} ({said:.300})"
        remedy = "Mend what it says in config.json; if it is about a dtype, try the other --dtype."
        raise CheckpointRefused(model.source.id, reason, remedy) from error


def refuse_disproved(model: str, findings: list[Finding]) -> None:
    """Nothing, where every part is proved.

    Raises:
        Disproved: some part is not.
    """
    wrong = [finding.part for finding in findings if not finding.proved]
    if wrong:
        raise Disproved(model, wrong)
