"""`annotator export --to hf --push REPO`: a dataset's folder onto the Hugging Face hub.

This file alone knows how the hub is written to. One commit holds everything, so that readers see
the old dataset or the new one; what an interrupted run uploaded before it is not sent again.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annotator.errors import PushFailed, SettingInvalid
from annotator.http_environment import ANY_HUB, check_environment
from annotator.paths import user_path
from annotator.views.export import hf
from annotator.views.export.folder import is_whole

if TYPE_CHECKING:
    from huggingface_hub import HfApi

_REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9_][\w.-]*", re.ASCII)
_BRANCH = re.compile(r"[A-Za-z0-9_][\w./-]*", re.ASCII)
_LOG_IN = "Run hf auth login, or set HF_TOKEN, with a token that may write"
_AGAIN = "Run the same command again: what has arrived is not sent twice"
_OF_STATUS = {
    401: ("the hub does not take the token", _LOG_IN),
    403: ("the token may not write there", "Use one that may, or a repository of your own"),
    404: ("the hub shows no such owner or repository", "Check the name, and whose token it is"),
}
_DATASET: dict[str, Any] = {"repo_type": "dataset"}


def require_repo(repo: str, revision: str | None = None) -> None:
    """Refuse what cannot be a repository's name, or a branch's.

    Raises:
        SettingInvalid: it cannot.
    """
    if (
        not _REPO.fullmatch(repo)
        or len(repo) > 96
        or re.search(r"\.\.|--|[.-]$|\.git$|[.-]/", repo)
    ):
        raise SettingInvalid("push", repo, "a repository's name, OWNER/NAME")
    if revision is not None and (
        not _BRANCH.fullmatch(revision) or re.search(r"\.\.|//|[./]$", revision)
    ):
        raise SettingInvalid("revision", revision, "a branch's name")


def address(repo: str) -> str:
    """Where a repository's page is."""
    return f"{_endpoint() or 'https://huggingface.co'}/datasets/{repo}"


def to_send(folder: str | Path) -> dict[str, Path]:
    """The files of a dataset by their names in the repository; other files of the folder stay here.

    Raises:
        SettingInvalid: it is no dataset that annotator wrote.
    """
    place = user_path(folder)
    if not (place / hf.CARD).is_file() or not hf.is_ours(place) or not is_whole(place):
        wanted = "what annotator export --to hf wrote to its end"
        raise SettingInvalid("folder", str(folder), wanted)
    return {name: place / name for name in hf.every_file() if (place / name).is_file()}


def publish(
    folder: str | Path, repo: str, *, private: bool = False, revision: str | None = None
) -> str:
    """Put a dataset on the Hugging Face hub, as one commit.

    The token is that of HF_TOKEN or `hf auth login`. A table that the repository has from an older
    export, and this one has not, is deleted there; other files of the repository stay.

    Args:
        folder: what `export(catalog, "hf")` wrote.
        repo: OWNER/NAME; it is made where there is none.
        private: make it private, and do not publish in one that is not.
        revision: a branch, made where there is none; by default the main one.

    Returns:
        The commit's address.

    Raises:
        SettingInvalid: no such repository can be, or the folder holds no dataset.
        PushFailed: the hub did not take it; it is as it was.
        EnvironmentInvalid: a proxy or certificates that cannot be used.
    """
    require_repo(repo, revision)
    files = to_send(folder)
    check_environment(ANY_HUB)
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    with _named(repo):
        api = _hub(repo)
        _require_place(api, repo, private, revision)
        there = api.list_repo_files(repo, revision=revision, **_DATASET)
        stale = [name for name in hf.every_file() if name in there and name not in files]
        added = [CommitOperationAdd(name, path) for name, path in files.items()]
        upload = partial(api.preupload_lfs_files, repo, added, free_memory=False)
        _stoppable(partial(upload, revision=revision, **_DATASET))
        commit = api.create_commit(
            repo,
            [*added, *map(CommitOperationDelete, stale)],
            commit_message="Attention heads, from annotator",
            revision=revision,
            **_DATASET,
        )
        return str(commit.commit_url)


def _endpoint() -> str | None:
    return os.environ.get("HF_ENDPOINT")


def _hub(repo: str) -> HfApi:
    from huggingface_hub import HfApi, get_token

    token = get_token()
    if token is None:
        raise PushFailed(repo, "there is no token", _LOG_IN)
    return HfApi(endpoint=_endpoint(), token=token)


def _require_place(api: HfApi, repo: str, private: bool, revision: str | None) -> None:
    """Make the repository, and the branch, where there is none."""
    api.create_repo(repo, private=private, exist_ok=True, **_DATASET)
    if private and not api.repo_info(repo, **_DATASET).private:
        reason = "it is there already, and public"
        remedy = "Make it private on its page, choose another name, or leave --private out"
        raise PushFailed(repo, reason, remedy)
    if revision is not None:
        api.create_branch(repo, branch=revision, exist_ok=True, **_DATASET)


def _stoppable(upload: Callable[[], None]) -> None:
    """Upload so that Ctrl-C ends the wait: the hub's client would finish every file first.

    What is left behind uploads files that no commit names; nobody sees them.
    """
    failed: list[BaseException] = []

    def run() -> None:
        try:
            upload()
        except BaseException as error:  # noqa: BLE001  (it is raised where somebody hears it)
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(0.2)
    if failed:
        raise failed[0]


@contextmanager
def _named(repo: str) -> Generator[None]:
    """The errors of the hub and of the way there, as one of ours."""
    import httpx2

    try:
        yield
    except (httpx2.HTTPError, OSError, ValueError, TypeError, LookupError, RuntimeError) as error:
        raise PushFailed(repo, *_named_error(error)) from error


def _named_error(error: BaseException) -> tuple[str, str]:
    """What is wrong, and what to do about it."""
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    if isinstance(error, RuntimeError) and error.__cause__:  # which only says at which file
        return _named_error(error.__cause__)
    if isinstance(error, OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE is set", "Unset it"
    if isinstance(error, HfHubHTTPError):
        status = error.response.status_code
        said = f"the hub answers {status}, {_plain(error.server_message or str(error))}"
        return _OF_STATUS.get(status, (said, _AGAIN))
    if isinstance(error, httpx2.HTTPError | OSError):
        return f"the hub cannot be reached, or the connection broke ({_plain(str(error))})", _AGAIN
    return f"the hub's answer cannot be used ({_plain(str(error))})", _AGAIN


def _plain(said: str) -> str:
    """The first line, without what addresses carry: a store's are signed."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return re.sub(r"\?\S+", "", lines[0]).rstrip(".") if lines else "it says nothing"
