"""A Label Studio's projects, tasks and answers: with `requests`, all that is known of its API.

- What only reads is tried again where that may help. What changes something is sent once: after a
  connection that broke nobody knows whether it was done, so `push` looks before it sends again.
- A server may still be at work on tasks whose sender has gone, so some can land twice. `push` looks
  once more at the end, and takes out second copies that nobody has answered.

Seen with the community edition 1.23.2 and label-studio-sdk 2.1.2.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from annotator.errors import ServerUnusable
from annotator.label_studio import requests
from annotator.label_studio.connection import TRIES, Connection, ServerFault, text, whole
from annotator.label_studio.requests import ProjectCounts, ServerTask
from annotator.label_studio.task import Task

if TYPE_CHECKING:
    from label_studio_sdk import LabelStudio

T = TypeVar("T")
TASKS_CHUNK = 250  # tasks to an import


class Studio:
    """A Label Studio server as one of its users sees it. A context manager; it closes itself.

    Whatever asks the server raises TokenRefused where the token is not taken, and ServerUnusable
    where there is no answer, or none that fits.

    Args:
        url: its address, as in a browser before /projects.
        token: a personal access token, or an old-style one where they are on.
        timeout: seconds without a byte after which an answer is given up.
        sleep: waits so many seconds.
        allow_http: whether the token may go to another machine over http.

    Attributes:
        url: the address in its plain form.

    Raises:
        ServerUnusable: the address is none, or others could read the token on its way.
        EnvironmentInvalid: a proxy or certificates that cannot be used.
        TokenRefused: the token cannot be one.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        timeout: float = 120.0,
        sleep: Callable[[float], None] = time.sleep,
        allow_http: bool = False,
    ) -> None:
        self._connection = Connection(url, token, timeout, sleep, allow_http)
        self.url = self._connection.url

    def __repr__(self) -> str:
        return f"Studio({self.url!r})"

    def __enter__(self) -> Studio:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections; the next request opens new ones."""
        self._connection.close()

    def whoami(self) -> str:
        """The e-mail address of the token's user."""
        return self._connection.read("user", lambda sdk: text(sdk.users.whoami().email))

    def version(self) -> str:
        """The server's release, as 1.23.2."""
        return self._connection.read("version", lambda sdk: text(sdk.versions.get().release))

    def project(self, marker: str) -> int | None:
        """The oldest project with the marker as a line of its description; None: none."""
        listed = self._pages("projects", requests.projects)
        return min((id for id, lines in listed if marker in lines), default=None)

    def make_project(self, title: str, marker: str, config_xml: str, instruction: str) -> int:
        """Make a project whose tasks are answered once, in order, with nothing filled in before.

        Args:
            title: its first 50 letters are taken, as many as a title can have.
            marker: what `project` finds it by.
            config_xml: the labelling screen.
            instruction: what raters read before they begin.
        """

        def make(sdk: LabelStudio) -> int:
            made = sdk.projects.create(
                title=title[:50],
                description=marker,
                label_config=config_xml,
                expert_instruction=instruction,
                show_instruction=bool(instruction),
                show_collab_predictions=False,
                maximum_annotations=1,
                sampling="Sequential sampling",
            )
            return whole(made.id)

        made = self._connection.once("new project", make)
        if not isinstance(made, ServerFault):
            return made
        if made.done:  # perhaps
            self._connection.pause(made, 0)
            if (found := self.project(marker)) is not None:
                return found
        raise made.error

    def exists(self, project: int) -> bool:
        """Whether the project is there, and this user may see it."""
        return self._connection.read("project", lambda sdk: requests.exists(sdk, project))

    def counts(self, project: int) -> ProjectCounts:
        """How far the project is."""
        return self._connection.read(
            f"project {project}", lambda sdk: requests.counts(sdk, project)
        )

    def items(self, project: int) -> dict[str, str]:
        """The items that the project has tasks for, by our ids, with whose tasks they are."""
        return {item: copies[0].rater for item, copies in self._placed(project).items()}

    def users(self) -> dict[str, int]:
        """The number of every user, by e-mail address."""
        return self._connection.read("users", requests.users)

    def answers(self, project: int) -> list[dict[str, Any]]:
        """The tasks that were answered or skipped, each with its answers: the JSON export."""
        return self._connection.read(
            f"project {project}", lambda sdk: requests.export(sdk, project)
        )

    def label_url(self, project: int) -> str:
        """Where a rater answers one task after the other, and sees no other's answers."""
        return f"{self.url}/projects/{project}/data?labeling=1"

    def push(
        self,
        project: int,
        tasks: Sequence[Task],
        progress: Callable[[int], object] = lambda added: None,
    ) -> int:
        """Add the tasks whose items have none yet, in order. It may be killed and run again.

        Args:
            project: its number.
            tasks: what the project should have at least.
            progress: is told how many tasks came in since it was told last.

        Returns:
            How many came in.
        """
        wanted = {task.item: task for task in tasks}
        placed = self._once_each(project)
        missing = [task for item, task in wanted.items() if item not in placed]
        added, fruitless = len(missing), 0
        while missing:
            left = missing[TASKS_CHUNK:]
            if fault := self._sent(project, missing[:TASKS_CHUNK]):
                if not fault.done:
                    raise fault.error
                self._connection.pause(fault, fruitless)
                placed = self._placed(project)
                left = [task for task in missing if task.item not in placed]
                fruitless = fruitless + 1 if len(left) == len(missing) else 0
                if fruitless and (not fault.again or fruitless == TRIES):
                    raise fault.error
            progress(len(missing) - len(left))
            missing = left
        if added and (lost := wanted.keys() - self._once_each(project).keys()):
            reason = f"of the {added} tasks that it took, {len(lost)} are not there"
            raise ServerUnusable(self.url, reason, "Run the same command again")
        return added

    def _sent(self, project: int, tasks: Sequence[Task]) -> ServerFault | None:
        """Send tasks once; None: they are in."""
        body: Any = [{"data": dict(task.data)} for task in tasks]

        def send(sdk: LabelStudio) -> None:
            if sdk.projects.import_tasks(project, request=body).task_count != len(body):
                raise ValueError("not as many as were sent")

        return self._connection.once(f"project {project}", send)

    def _placed(self, project: int) -> dict[str, list[ServerTask]]:
        """The project's tasks, by our item ids; what others put there has none."""
        placed: dict[str, list[ServerTask]] = {}

        def page(sdk: LabelStudio, number: int) -> tuple[int, list[tuple[object, ServerTask]]]:
            return requests.tasks(sdk, project, number)

        listed = self._pages(f"project {project}", page)
        for item, copy in listed:
            if isinstance(item, str):
                placed.setdefault(item, []).append(copy)
        return placed

    def _pages(
        self, what: str, ask: Callable[[LabelStudio, int], tuple[int, list[T]]]
    ) -> Iterator[T]:
        """What stands on all pages of a list; `ask` gives how many there are, and one page."""
        seen, page = 0, 1
        while True:
            total, some = self._connection.read(what, lambda sdk, n=page: ask(sdk, n))
            yield from some
            seen, page = seen + len(some), page + 1
            if seen >= total or not some:
                return

    def _once_each(self, project: int) -> dict[str, list[ServerTask]]:
        """As above, after second copies without an answer were taken out of the project."""
        placed = self._placed(project)
        spare: list[int] = []
        for copies in placed.values():
            copies.sort(key=lambda copy: (not copy.answered, copy.id))
            spare += [copy.id for copy in copies[1:] if not copy.answered]
        if spare:
            self._connection.read(
                f"project {project}", lambda sdk: requests.delete(sdk, project, spare)
            )
        return placed
