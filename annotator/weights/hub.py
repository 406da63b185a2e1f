"""The only file that talks to the Hugging Face hub: it gives local paths to files of a repository.

HF_ENDPOINT, HF_TOKEN, HF_HOME and HF_HUB_OFFLINE mean what they mean everywhere. Without a
connection, what the hub client has in its cache is used.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from annotator.errors import ModelNotFound
from annotator.weights.checkpoint import Checkpoint
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

    endpoint = os.environ.get("HF_ENDPOINT")
    commit = _commit(repo, revision, endpoint)

    def fetch(file: str) -> Path:
        try:
            path = hf_hub_download(
                repo,
                file,
                revision=commit or revision,
                endpoint=endpoint,
                local_files_only=commit is None,
            )
        except LocalEntryNotFoundError as error:
            if commit is None and file != "config.json":
                raise FileAbsent(file) from error
            raise ModelNotFound(
                repo, "there is no such path here, and the hub could not be reached"
            ) from error
        except EntryNotFoundError as error:
            raise FileAbsent(file) from error
        except (HfHubHTTPError, OSError) as error:
            raise ModelNotFound(repo, f"{file} could not be fetched ({_first_line(error)})") from error
        return Path(path)

    checkpoint = Checkpoint(repo, commit, fetch)
    if commit is None:  # from the cache, whose snapshot folders are named by commit
        checkpoint.revision = fetch("config.json").parent.name
    return checkpoint


def _commit(repo: str, revision: str | None, endpoint: str | None) -> str | None:
    """The commit that a revision is now, so that all files are of one; None without a connection."""
    import httpx2
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        return HfApi(endpoint=endpoint).model_info(repo, revision=revision, timeout=20).sha
    except HfHubHTTPError as error:
        raise ModelNotFound(
            repo, f"there is no such path here, and the hub says: {_first_line(error)}"
        ) from error
    except HFValidationError as error:
        raise ModelNotFound(repo, _first_line(error)) from error
    except (httpx2.HTTPError, OSError):
        return None


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0].rstrip(".") if lines else type(error).__name__
