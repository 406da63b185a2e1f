"""The only file that talks to the Hugging Face hub: it gives local paths to files of a repository.

HF_ENDPOINT, HF_TOKEN, HF_HOME and HF_HUB_OFFLINE mean what they mean everywhere. Without a
connection, what the hub client has in its cache is used.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import httpx2
from huggingface_hub import HfApi, constants, hf_hub_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from annotator.errors import HomeMissing, ModelNotFound
from annotator.http_environment import ANY_HUB, check_environment, proxy_variable
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
        EnvironmentInvalid: a proxy or certificates that cannot be used.
        HomeMissing: nothing names a place for what is downloaded.
    """
    if not constants.HF_HUB_OFFLINE:
        check_environment(ANY_HUB)
    if constants.HF_HUB_CACHE.startswith("~"):
        raise HomeMissing("HF_HOME")
    offline = _why_offline(repo, revision)
    # The first file is asked for by the revision's name, which the hub client then remembers for
    # when there is no connection; its snapshot folder is named by the commit that all files share.
    try:
        commit = _fetch(repo, CONFIG, revision, offline).parent.name
    except FileAbsent as absent:
        raise ModelNotFound(repo, f"it has no {CONFIG}") from absent

    def fetch(file: str) -> Path:
        return _fetch(repo, file, commit, offline)

    def has(file: str) -> bool:
        return not offline and _listed(repo, file, commit)

    return Checkpoint(repo, commit, fetch, has)


def _listed(repo: str, file: str, commit: str) -> bool:
    """Whether the hub has a file; where it does not say, False."""
    try:
        return HfApi(endpoint=os.environ.get("HF_ENDPOINT")).file_exists(
            repo, file, revision=commit
        )
    except (httpx2.HTTPError, OSError):
        return False


def _fetch(repo: str, file: str, revision: str | None, offline: str) -> Path:
    """The local path of a file; downloaded where it is not cached, unless `offline` says why not.

    Raises:
        FileAbsent: the repository (without a connection: the cache) does not hold it.
        ModelNotFound: it cannot be fetched.
    """
    endpoint = os.environ.get("HF_ENDPOINT")
    try:
        path = hf_hub_download(
            repo, file, revision=revision, endpoint=endpoint, local_files_only=bool(offline)
        )
    except LocalEntryNotFoundError as error:
        if offline and file != CONFIG:
            raise FileAbsent(file) from error
        proxy = proxy_variable(endpoint or ANY_HUB)
        way = f" through the proxy that {proxy} names" if proxy else ""
        why = f" ({offline})" if offline else ""
        reason = f"there is no such path here, and the hub could not be reached{way}{why}"
        raise ModelNotFound(repo, reason) from error
    except EntryNotFoundError as error:
        raise FileAbsent(file) from error
    except (httpx2.HTTPError, OSError) as error:
        reason = f"{file} could not be fetched: {_reason(error, revision)}"
        raise ModelNotFound(repo, reason) from error
    return Path(path)


def _why_offline(repo: str, revision: str | None) -> str:
    """Why the hub cannot be reached, or "".

    Raises:
        ModelNotFound: it can, and it refuses the repository or the revision.
    """
    endpoint = os.environ.get("HF_ENDPOINT")
    try:
        HfApi(endpoint=endpoint).model_info(repo, revision=revision, timeout=20)
    except HfHubHTTPError as error:
        if error.response.status_code >= 500:
            return _first_line(error)
        raise ModelNotFound(
            repo, f"there is no such path here, and the hub says: {_reason(error, revision)}"
        ) from error
    except ValueError as error:  # a name that cannot be a hub id, or an answer that is not a hub's
        raise ModelNotFound(repo, _first_line(error)) from error
    except (httpx2.HTTPError, OSError) as error:
        return _first_line(error)
    return ""


def _reason(error: Exception, revision: str | None) -> str:
    unknown = "no such repository, or a private one (then set HF_TOKEN)"
    if isinstance(error, GatedRepoError):  # a kind of RepositoryNotFoundError
        return "it is gated; ask for access on its page, then set HF_TOKEN"
    if isinstance(error, HfHubHTTPError) and error.response.status_code == 401:
        if "Invalid credentials" in (error.server_message or ""):
            return "the token is not valid (HF_TOKEN, or the one kept by hf auth login)"
        # To a stranger the hub does not say whether a repository exists.
        return unknown
    if isinstance(error, RepositoryNotFoundError):
        return unknown
    if isinstance(error, RevisionNotFoundError):
        return f"the repository has no revision {revision!r}"
    return _first_line(error)


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0].rstrip(".") if lines else type(error).__name__
