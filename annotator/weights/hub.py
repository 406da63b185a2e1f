"""The only file that talks to the Hugging Face hub: it gives local paths to files of a repository.

HF_ENDPOINT, HF_TOKEN, HF_HOME and HF_HUB_OFFLINE mean what they mean everywhere.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from annotator.errors import ModelNotFound
from annotator.weights.checkpoint import CONFIG, Checkpoint
from annotator.weights.source import FileAbsent

_ID = re.compile(r"[\w][\w.\-]*(/[\w][\w.\-]*)?", re.ASCII)


def looks_like_id(text: str) -> bool:
    """Whether a text can be a hub id ("owner/name" or "name") rather than a path."""
    return _ID.fullmatch(text) is not None and not text.lower().endswith((".gguf", ".safetensors"))


def open_repository(repo: str, revision: str | None) -> Checkpoint:
    """Open a hub repository; files are downloaded when first needed, and cached by the hub client.

    Raises:
        ModelNotFound: no such repository or revision, no access, or no connection.
        CheckpointBroken: config.json cannot be read.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, LocalEntryNotFoundError

    pinned = revision

    def fetch(file: str) -> Path:
        try:
            path = hf_hub_download(
                repo, file, revision=pinned, endpoint=os.environ.get("HF_ENDPOINT")
            )
        except LocalEntryNotFoundError as error:
            raise ModelNotFound(
                repo, "there is no such path here, and the hub could not be reached"
            ) from error
        except EntryNotFoundError as error:
            raise FileAbsent(file) from error
        except (HfHubHTTPError, OSError) as error:
            reason = str(error).strip().splitlines()[0].rstrip(".")
            raise ModelNotFound(repo, f"there is no such path here, and the hub says: {reason}") from error
        return Path(path)

    try:
        # A branch may move while files come in: the first file's snapshot folder names the commit.
        pinned = fetch(CONFIG).parent.name
    except FileAbsent as absent:
        raise ModelNotFound(repo, f"the repository has no {CONFIG}") from absent
    return Checkpoint(repo, pinned, fetch)
