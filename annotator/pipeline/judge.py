"""`annotator judge`: descriptions go to raters in a Label Studio, judgments come back.

A rater has one project per catalog and server. What was pushed or pulled before is known, so that
every command may be stopped and run again.
"""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from annotator.catalog.read import Catalog, open_catalog
from annotator.errors import ProjectGone, ServerUnusable
from annotator.locks import in_turn
from annotator.pipeline.judge_answers import PullResult, judgments_of
from annotator.pipeline.judge_items import plan_study, pseudonyms, tasks_of
from annotator.pipeline.judge_server import OpenServer, open_studio
from annotator.pipeline.ledger import require_ledger
from annotator.pipeline.progress import bar
from annotator.records import REAL

if TYPE_CHECKING:
    from annotator.label_studio.client import ProjectCounts, Studio
    from annotator.ledger.judgments import Judgments

STUDY_LOCK = ".judge.lock"
INSTRUCTION = (
    "Each item shows what one part of a language model does: tokens on the left, and what it "
    "promotes for each of them on the right. Say whether you see a recurring pattern; if you do, "
    "a description is shown, and you say how well it fits. Odd tokens are normal: many are only "
    "pieces of words. ␣ is a space. Skip an item that you cannot judge."
)


@dataclass(frozen=True)
class RaterProject:
    """A rater's project, and how far it is.

    Attributes:
        rater: the rater's pseudonym.
        project: its number on the server.
        url: where the rater answers.
        added: tasks that were pushed now.
        counts: how many tasks, answers and skips the server has; None: the project was deleted.
        recorded: on how many items the catalog has an answer of the rater's, from wherever.
    """

    rater: str
    project: int
    url: str
    added: int
    counts: ProjectCounts | None
    recorded: int


def push_study(
    catalog: Catalog | str | Path,
    raters: Sequence[str],
    *,
    llm: str | None = None,
    heads: Sequence[str] | None = None,
    kinds: Sequence[str] = (REAL,),
    seed: int = 0,
    url: str | None = None,
    token: str | None = None,
    allow_http: bool = False,
    again: bool = False,
    progress: bool = True,
) -> list[RaterProject]:
    """Give raters their tasks; what they have already is not given twice.

    Args:
        catalog: the catalog's directory.
        raters: pseudonyms; each has a project.
        llm: whose descriptions; needed where several have described.
        heads: only these, by name.
        kinds: which kinds of items.
        seed: of each rater's random order.
        url: a team's server; by default the catalog's own.
        token: of a user of that server; by default the environment's LABEL_STUDIO_API_KEY, where
            LABEL_STUDIO_URL names that server, or is not set and it is on this machine.
        allow_http: whether the token may go to another machine over http.
        again: make a new project where a rater's was deleted; what was answered stays answered.
        progress: show a bar.

    Raises:
        NothingToJudge: no description, or several where one has to be named.
        JudgeError: the server cannot be used; what was pushed stays.
    """
    named = pseudonyms(raters)
    opened = open_catalog(catalog)
    chosen = plan_study(opened, llm, heads, kinds)
    with (
        in_turn(opened.folder / STUDY_LOCK),  # two at once would make two projects for a rater
        open_studio(opened, url, token, allow_http=allow_http) as server,
        judgments_of(opened) as judgments,
    ):
        judgments.add_items(chosen.items)
        places: list[RaterProject] = []
        for rater in named:
            project, there = _project(opened, server, judgments, rater, again)
            done = _answered(judgments, rater) if again else set[str]()
            tasks = tasks_of(chosen, rater, seed, there | done, len(there))
            label = f"Pushing to {rater}"
            with bar(label, len(tasks), unit="task", show=progress) as shown:
                added = server.studio.push(project, tasks, shown.update)
            places.append(_place(server.studio, judgments, rater, project, added))
        return places


def study_status(
    catalog: Catalog | str | Path,
    url: str | None = None,
    token: str | None = None,
    *,
    allow_http: bool = False,
) -> list[RaterProject]:
    """How far each rater is.

    Raises:
        JudgeError: the server cannot be used.
    """
    opened = open_catalog(catalog)
    require_ledger(opened)
    with (
        open_studio(opened, url, token, allow_http=allow_http) as server,
        judgments_of(opened) as judgments,
    ):
        return [
            _place(server.studio, judgments, rater, project, 0)
            for rater, project in _projects(server, judgments).items()
        ]


def pull_study(
    catalog: Catalog | str | Path,
    url: str | None = None,
    token: str | None = None,
    *,
    allow_http: bool = False,
    progress: bool = True,
) -> PullResult:
    """Fetch what raters answered since; what is fetched is written down project by project.

    Raises:
        StudyForeign: what a project exports is no export.
        JudgeError: the server cannot be used; what was fetched is kept.
    """
    from annotator.label_studio.answers import read_export
    from annotator.label_studio.folder import clear_exports

    opened, pulled = open_catalog(catalog), PullResult()
    require_ledger(opened)
    with (
        open_studio(opened, url, token, allow_http=allow_http) as server,
        judgments_of(opened) as judgments,
    ):
        projects = _projects(server, judgments)
        items = judgments.items()
        with bar("Pulling", len(projects), unit="rater", show=progress) as shown:
            for rater, project in projects.items():
                shown.update(0)
                if not server.studio.exists(project):
                    pulled.gone[rater] = project
                    continue
                where = f"project {project} of rater {rater}"
                answers = server.studio.answers(project)
                user = server.users.get(rater)
                pulled.add(read_export(answers, where, items, rater, user), judgments)
                shown.update(1)
        if server.folder is not None:
            clear_exports(server.folder)
    return pulled


def refuse_gone(gone: Mapping[str, int], url: str | None) -> None:
    """Nothing, where every project is there.

    Raises:
        ProjectGone: some are not.
    """
    if gone:
        raise ProjectGone(url or "the catalog's own server", gone)


def _project(
    catalog: Catalog, server: OpenServer, judgments: Judgments, rater: str, again: bool
) -> tuple[int, set[str]]:
    """A rater's project and the items in it: the known one, one a killed run left, or a new one.

    Raises:
        ProjectGone: the known one was deleted, or is somebody else's now.
    """
    from annotator.label_studio.task import screen

    studio, known = server.studio, judgments.project(server.place, rater)
    if known is not None:
        there = studio.items(known) if studio.exists(known) else None
        if there is not None and set(there.values()) <= {rater}:
            return known, set(there)
        if not again:
            raise ProjectGone(studio.url, {rater: known})
    marker = _marker(catalog, rater)
    project = studio.project(marker)
    if project is None:
        project = studio.make_project(f"Heads, for {rater}", marker, screen(), INSTRUCTION)
    judgments.add_project(server.place, rater, project)
    return project, set(studio.items(project))


def _marker(catalog: Catalog, rater: str) -> str:
    """What a project is found by: this catalog, here, and the rater."""
    place = [socket.gethostname(), str(catalog.folder.resolve()), rater]
    study = json.dumps([catalog.manifest.model["weight_digest"], *place])
    return f"annotator {hashlib.sha256(study.encode()).hexdigest()[:24]}"


def _projects(server: OpenServer, judgments: Judgments) -> dict[str, int]:
    """Each rater's project on this server.

    Raises:
        ServerUnusable: there is none.
    """
    raters = dict.fromkeys(one.rater for one in judgments.projects())
    found = {rater: judgments.project(server.place, rater) for rater in raters}
    projects = {rater: project for rater, project in found.items() if project is not None}
    if not projects:
        remedy = "Run: annotator judge push CATALOG --rater NAME"
        reason = "no rater has a project of this catalog there"
        raise ServerUnusable(server.studio.url, reason, remedy)
    return projects


def _answered(judgments: Judgments, rater: str) -> set[str]:
    return {one.item for one in judgments.last() if one.rater == rater and not one.skipped}


def _place(
    studio: Studio, judgments: Judgments, rater: str, project: int, added: int
) -> RaterProject:
    recorded = sum(one.rater == rater for one in judgments.last())
    counts = studio.counts(project) if studio.exists(project) else None
    return RaterProject(rater, project, studio.label_url(project), added, counts, recorded)
