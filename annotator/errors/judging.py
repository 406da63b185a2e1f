"""A human study cannot go on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from annotator.errors.base import AnnotatorError


class JudgeError(AnnotatorError):
    """A human study cannot go on; what was judged is kept."""


@dataclass(eq=False)
class ServerUnusable(JudgeError):
    """A Label Studio that cannot be started, reached or understood.

    Attributes:
        url: the server, or the folder of a local one.
        reason: what is wrong, without any token.
        remedy: what to do.
        said: the last lines of its log, where that tells more.
    """

    url: str
    reason: str
    remedy: str
    said: Sequence[str] = ()

    def __str__(self) -> str:
        listed = "".join(f"\n    {line}" for line in self.said)
        said = f" It said:{listed}" if listed else ""
        return f"the Label Studio at {self.url} cannot be used: {self.reason}. {self.remedy}.{said}"


@dataclass(eq=False)
class TokenRefused(JudgeError):
    """A token that the server does not take.

    Attributes:
        url: the server.
        reason: what it said, without the token.
    """

    url: str
    reason: str

    _message = (
        "the Label Studio at {url} refuses the token: {reason}. Make a personal access token in "
        "its Account & Settings, and give that."
    )


@dataclass(eq=False)
class ProjectGone(JudgeError):
    """Raters' projects that were on the server and are no more.

    Attributes:
        url: the server.
        projects: of each rater the project's number there.
    """

    url: str
    projects: Mapping[str, int]

    def __str__(self) -> str:
        gone = ", ".join(f"project {n} of rater {rater}" for rater, n in self.projects.items())
        return (
            f"no longer on {self.url}: {gone}; somebody deleted it, or the server's data. What was "
            "pulled is kept. Run annotator judge push with --again for these raters: it makes new "
            "ones, of what they have not answered."
        )


@dataclass(eq=False)
class ExportUnreadable(JudgeError):
    """A file of answers that cannot be read."""

    path: str
    reason: str

    _message = (
        "{path} cannot be read: {reason}. Name the file that Label Studio wrote when a project was "
        "exported as JSON."
    )


@dataclass(eq=False)
class AnswersInvalid(JudgeError):
    """Answers that cannot be taken as they are; all others were.

    Attributes:
        problems: one line each, naming the item or task and what is wrong with it.
        taken: how many answers were recorded.
    """

    problems: Sequence[str]
    taken: int

    def __str__(self) -> str:
        listed = "".join(f"\n  - {problem}" for problem in self.problems)
        return (
            f"some answers cannot be taken ({len(self.problems)}):{listed}\nAll others "
            f"({self.taken}) were recorded. What an answer was before counts until it is mended in "
            "Label Studio; then run the same command again."
        )


@dataclass(eq=False)
class StudyForeign(JudgeError):
    """Answers to another catalog's items, or a file that is no export of Label Studio's.

    Attributes:
        where: the file or project.
        reason: what shows it.
    """

    where: str
    reason: str

    _message = (
        "{where} is not of this catalog's study: {reason}. Nothing was recorded. Name the catalog "
        "that the items were made from."
    )


@dataclass(eq=False)
class NothingToJudge(JudgeError):
    """No description that raters could judge, or several where one has to be named."""

    reason: str

    _message = "{reason}."
