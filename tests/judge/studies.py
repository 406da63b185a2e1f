"""The commands of one study, on the server that tests share."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from annotator.label_studio.server import Server
from tests.commands import error_of, text_of

Capture = pytest.CaptureFixture[str]


class Study:
    """The commands of one study on the shared server."""

    def __init__(self, catalog: Path, server: Server, capsys: Capture) -> None:
        self.catalog, self.server, self.capsys = catalog, server, capsys
        self.on = ("--url", server.url, "--token", server.credentials.admin.token)
        self.raters = ("--rater", "ada", "--rater", "ben")
        self.clients: list[httpx.Client] = []

    def push(self, *more: str) -> str:
        return text_of(self.capsys, "judge", "push", self.catalog, *self.raters, *self.on, *more)

    def pull(self) -> str:
        return text_of(self.capsys, "judge", "pull", self.catalog, *self.on)

    def error(self, command: str) -> str:
        return error_of(self.capsys, "judge", command, self.catalog, *self.on)

    def projects(self, said: str) -> dict[str, int]:
        return {m[1]: int(m[2]) for m in re.finditer(r"(\w+): \S+/projects/(\d+)/data", said)}

    def as_rater(self, name: str) -> Any:
        from label_studio_sdk import LabelStudio

        account = next(one for one in self.server.credentials.raters if one.name == name)
        self.clients.append(httpx.Client())
        return LabelStudio(
            base_url=self.server.url, api_key=account.token, httpx_client=self.clients[-1]
        )

    def tasks(self, name: str, project: int) -> list[Any]:
        return sorted(self.as_rater(name).tasks.list(project=project), key=lambda one: one.id)

    def answer(self, name: str, task: int, result: list[dict[str, Any]], **more: Any) -> int:
        made = self.as_rater(name).annotations.create(task, result=result, lead_time=7.5, **more)
        return made.id
