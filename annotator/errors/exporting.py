"""A dataset cannot be published."""

from __future__ import annotations

from dataclasses import dataclass

from annotator.errors.base import AnnotatorError


@dataclass(eq=False)
class PushFailed(AnnotatorError):
    """A dataset that the Hugging Face hub did not take; what is there stays as it was.

    Attributes:
        repo: the repository.
        reason: what is wrong, without any token.
        remedy: what to do.
    """

    repo: str
    reason: str
    remedy: str

    _message = (
        "nothing was published at {repo}: {reason}. {remedy}. The files are here, as they were "
        "written."
    )
