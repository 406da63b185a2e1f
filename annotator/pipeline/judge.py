"""`annotator judge`: descriptions go to raters in a Label Studio, judgments come back.

A rater has one project per catalog and server. What was pushed or pulled before is known, so that
every command may be stopped and run again.
"""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from annotator.catalog.descriptions import LEDGER
from annotator.catalog.read import Catalog, open_catalog
from annotator.errors import AnswersInvalid, ProjectGone, ServerUnusable
from annotator.pipeline.progress import bar
from annotator.pipeline.studio import open_studio
from annotator.pipeline.study import choose, tasks_of

if TYPE_CHECKING:
    from annotator.judge.answers import Taken
    from annotator.judge.label_studio import Counts, Studio
    from annotator.ledger.judgments import Judgments

INSTRUCTION = (
    "Each item shows what one part of a language model does: tokens on the left, and what it "
    "promotes for each of them on the right. Say whether you see a recurring pattern; if you do, "
    "a description is shown, and you say how well it fits. Odd tokens are normal: many are only "
    "pieces of words. ␣ is a space. Skip an item that you cannot judge."
)


@dataclass(frozen=True)
class Place:
    """A rater's project, and how far it is.

    Attributes:
        rater: the rater's pseudonym.
        project: its number on the server.
        url: where the rater answers.
        added: tasks that were pushed now.
        counts: how many tasks, answers and skips the server has.
        pulled: how many of the rater's answers are in the ledger.
    """

    rater: str
    project: int
    url: str
    added: int
    counts: Counts
    pulled: int


@dataclass
class Pulled:
    """What came back.

    Attributes:
        new: answers that were not known.
        edited: answers that changed one that was known.
        unchanged: answers that were known.
        twice: items that a rater answered more than once, a line each; the last answer counts.
        problems: answers that cannot be taken, a line each.
    """

    new: int = 0
    edited: int = 0
    unchanged: int = 0
    twice: list[str] = field(default_factory=list[str])
    problems: list[str] = field(default_factory=list[str])

    def add(self, taken: Taken, judgments: Judgments) -> None:
        """Record what was taken, and count it."""
        counts = judgments.record(taken.answers)
        self.new += counts.new
        self.edited += counts.edited
        self.unchanged += counts.unchanged
        self.twice += taken.twice
        self.problems += taken.problems


def push(
    catalog: str | Path,
    raters: Sequence[str],
    *,
    llm: str | None = None,
    heads: Sequence[str] | None = None,
    seed: int = 0,
    url: str | None = None,
    token: str | None = None,
    again: bool = False,
    progress: bool = True,
) -> list[Place]:
    """Give raters their tasks; what they have already is not given twice.

    Args:
        catalog: the catalog's directory.
        raters: pseudonyms; each has a project.
        llm: whose descriptions; needed where several language models have described.
        heads: only these, by name.
        seed: of each rater's random order.
        url: a team's server; by default the catalog's own.
        token: of a user of that server.
        again: make a new project where a rater's was deleted; what was answered stays answered.
        progress: show a bar.

    Raises:
        NothingToJudge: no description, or several where one has to be named.
        JudgeError: the server cannot be used; what was pushed stays.
    """
    opened = open_catalog(catalog)
    chosen = choose(opened, llm, heads)
    with open_studio(opened, url, token) as studio, _judgments(opened) as judgments:
        judgments.add_items(chosen.items)
        places: list[Place] = []
        for rater in dict.fromkeys(raters):
            project = _project(opened, studio, judgments, rater, again)
            there = studio.items(project)
            done = _answered(judgments, rater) if again else set[str]()
            tasks = tasks_of(chosen, rater, seed, there | done, len(there))
            label = f"Pushing to {rater}"
            with bar(label, len(tasks), unit="task", show=progress) as shown:
                added = studio.push(project, tasks, shown.update)
            places.append(_place(studio, judgments, rater, project, added))
        return places


def status(catalog: str | Path, url: str | None = None, token: str | None = None) -> list[Place]:
    """How far each rater is.

    Raises:
        ProjectGone: somebody deleted a project.
        JudgeError: the server cannot be used.
    """
    opened = open_catalog(catalog)
    with open_studio(opened, url, token) as studio, _judgments(opened) as judgments:
        return [
            _place(studio, judgments, rater, project, 0)
            for rater, project in _projects(studio, judgments).items()
            if _there(studio, rater, project)
        ]


def pull(
    catalog: str | Path,
    url: str | None = None,
    token: str | None = None,
    *,
    progress: bool = True,
) -> Pulled:
    """Fetch what raters answered since; what is fetched is written down project by project.

    Raises:
        ProjectGone: somebody deleted a project; all others were fetched.
        StudyForeign: a project holds what is not this catalog's.
        JudgeError: the server cannot be used; what was fetched is kept.
    """
    from annotator.judge.answers import read_export

    opened = open_catalog(catalog)
    pulled, gone = Pulled(), list[ProjectGone]()
    with open_studio(opened, url, token) as studio, _judgments(opened) as judgments:
        projects = _projects(studio, judgments)
        items = judgments.items()
        with bar("Pulling", len(projects), unit="rater", show=progress) as shown:
            for rater, project in projects.items():
                shown.update(0)
                try:
                    _there(studio, rater, project)
                except ProjectGone as error:
                    gone.append(error)
                    continue
                where = f"project {project} of rater {rater}"
                pulled.add(read_export(studio.answers(project), where, items), judgments)
                shown.update(1)
    if gone:
        raise gone[0]
    return pulled


def refuse_problems(pulled: Pulled) -> None:
    """Nothing, where every answer could be taken.

    Raises:
        AnswersInvalid: some could not.
    """
    if pulled.problems:
        raise AnswersInvalid(pulled.problems, pulled.new + pulled.edited + pulled.unchanged)


@contextmanager
def _judgments(catalog: Catalog) -> Generator[Judgments]:
    from annotator.ledger.judgments import Judgments
    from annotator.ledger.ledger import Ledger

    with Ledger(catalog.folder / LEDGER) as ledger:
        yield Judgments(ledger)


def _project(
    catalog: Catalog, studio: Studio, judgments: Judgments, rater: str, again: bool
) -> int:
    """A rater's project: the known one, one that a killed run left, or a new one."""
    from annotator.judge.task import screen

    known = judgments.project(studio.url, rater)
    if known is not None and (not again or studio.exists(known)):
        _there(studio, rater, known)
        return known
    marker = _marker(catalog, rater)
    project = studio.project(marker)
    if project is None:
        title = f"Heads, for {rater}"
        project = studio.make_project(title, marker, screen(), INSTRUCTION)
    judgments.add_project(studio.url, rater, project)
    return project


def _marker(catalog: Catalog, rater: str) -> str:
    """What a project is found by: this catalog, here, and the rater."""
    place = f"{socket.gethostname()} {catalog.folder.resolve()}"
    study = hashlib.sha256(f"{catalog.manifest.model['weight_digest']} {place}".encode())
    return f"annotator {study.hexdigest()[:16]} {rater}"


def _projects(studio: Studio, judgments: Judgments) -> dict[str, int]:
    """Each rater's project on this server.

    Raises:
        ServerUnusable: there is none.
    """
    raters = dict.fromkeys(one.rater for one in judgments.projects())
    found = {rater: judgments.project(studio.url, rater) for rater in raters}
    projects = {rater: project for rater, project in found.items() if project is not None}
    if not projects:
        remedy = "Run: annotator judge push CATALOG --rater NAME"
        raise ServerUnusable(studio.url, "no rater has a project of this catalog there", remedy)
    return projects


def _there(studio: Studio, rater: str, project: int) -> bool:
    """True.

    Raises:
        ProjectGone: the project was deleted.
    """
    if not studio.exists(project):
        raise ProjectGone(studio.url, rater, project)
    return True


def _answered(judgments: Judgments, rater: str) -> set[str]:
    return {one.item for one in judgments.last() if one.rater == rater and not one.skipped}


def _place(studio: Studio, judgments: Judgments, rater: str, project: int, added: int) -> Place:
    pulled = sum(one.rater == rater for one in judgments.last())
    counts = studio.counts(project)
    return Place(rater, project, studio.label_url(project), added, counts, pulled)
