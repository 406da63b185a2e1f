"""Which reader serves a checkpoint."""

from __future__ import annotations

from pathlib import Path

from annotator.errors import ModelNotFound
from annotator.paths import user_path
from annotator.weights.source import Source


def open_source(model: str | Path, revision: str | None = None) -> Source:
    """Open a folder, a GGUF file or a hub repository.

    Args:
        model: a path, or a hub id where no such path exists.
        revision: branch, tag or commit on the hub.

    Raises:
        ModelNotFound: nothing there.
        CheckpointRefused: a pickle checkpoint.
        CheckpointBroken: a header or config that cannot be read.
        UnknownFamily: a GGUF architecture without an entry.
        MissingExtra: a GGUF file without the gguf package.
    """
    path = user_path(model)
    if path.is_dir():
        from annotator.weights.checkpoint import open_folder

        return open_folder(path)
    if path.is_file():
        if path.suffix.lower() == ".gguf":
            from annotator.weights.gguf import GgufFile

            return GgufFile(path)
        raise ModelNotFound(str(model), "that file is neither a folder nor a .gguf file")
    from annotator.weights.hub import looks_like_id, open_repository

    if looks_like_id(str(model)):
        return open_repository(str(model), revision)
    raise ModelNotFound(str(model), "no such path")
