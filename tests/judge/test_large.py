"""A study of 2,000 tasks by the commands, killed midway and run again; prints times and memory.

The answers come in with an import of Label Studio's own, for one at a time takes minutes.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from annotator.catalog.descriptions import LEDGER
from annotator.catalog.read import open_catalog
from annotator.label_studio.client import Studio
from annotator.label_studio.server import Server
from annotator.label_studio.task import screen
from annotator.ledger.judgments import Judgments
from annotator.ledger.ledger import Ledger
from tests.commands import SCRIPT, run
from tests.judge import large_catalog
from tests.judge.record_export import answer

COUNT = large_catalog.LAYERS * large_catalog.HEADS


pytestmark = pytest.mark.services  # by itself: it prints figures


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A catalog of 2,000 heads, all described by the rules.

    Made in a process of its own: here every call is type-checked, which takes minutes.
    """
    folder = tmp_path / "large"
    making = [sys.executable, "-m", large_catalog.__name__, str(folder)]
    subprocess.run(making, check=True, cwd=Path(large_catalog.__file__).parents[2])
    return folder


def command(name: str, catalog: Path, server: Server, *more: str) -> list[str]:
    on = ["--url", server.url, "--token", server.credentials.admin.token]
    return [str(SCRIPT), "judge", name, str(catalog), *on, *more]


def killed(words: list[str], when: Callable[[], bool]) -> int:
    """A command's exit code after kill -9, once something is so."""
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and not when():
        time.sleep(0.02)
    process.kill()
    return process.wait()


def timed(words: list[str]) -> tuple[str, str]:
    """What a command prints, and its seconds and most memory."""
    started = time.perf_counter()
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stderr is not None
    said, errors = process.stdout.read(), process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.communicate()
    assert process.returncode == 0, errors
    took = time.perf_counter() - started
    return said, f"{took:5.1f} s, {usage.ru_maxrss / 1024:4.0f} MiB"


def test_two_thousand_tasks_there_and_back(
    large: Path, studio_server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    push = command("push", large, studio_server, "--rater", "ada")
    with Studio(studio_server.url, studio_server.credentials.admin.token) as studio:

        def pushed() -> int:
            project = project_of(large, studio_server)
            return 0 if project is None else studio.counts(project).tasks

        for least in (1, 501):
            assert killed(push, lambda least=least: pushed() >= least) == -signal.SIGKILL
            assert least <= pushed() < COUNT
        said, cost = timed(push)
        project = project_of(large, studio_server)
        assert project is not None
        with Ledger(large / LEDGER) as ledger:
            items = Judgments(ledger).items()
        assert set(studio.items(project)) == set(items)
        assert studio.counts(project).tasks == COUNT == len(items)
    assert f" {COUNT} " in said
    lines = [f"push of {COUNT:,} tasks, what two killed runs left: {cost}"]
    again, cost = timed(push)
    assert " 0 " in again
    lines.append(f"push again: {cost}")

    answered(large, studio_server, tmp_path)
    pull = command("pull", large, studio_server)
    soon = time.monotonic() + 3.0
    assert killed(pull, lambda: time.monotonic() > soon) == -signal.SIGKILL
    said, cost = timed(pull)
    lines.append(f"pull of {COUNT:,} answers: {cost}")
    said, cost = timed(pull)
    assert f"0 new answers, 0 edited, {COUNT} known before" in said
    lines.append(f"pull again: {cost}")
    assert len(open_catalog(large).judgments()) == COUNT
    report, cost = timed([str(SCRIPT), "judge", "report", str(large)])
    assert f"{COUNT} answers on {COUNT} of {COUNT} items by 1 rater;" in report
    with capsys.disabled():
        print("", *lines, sep="\n  ")


def project_of(catalog: Path, server: Server) -> int | None:
    with Ledger(catalog / LEDGER) as ledger:
        return Judgments(ledger).project(server.url, "ada")


def answered(catalog: Path, server: Server, folder: Path) -> None:
    """The rater's project again, with an answer to every task."""
    from label_studio_sdk import LabelStudio

    made = ("judge", "export", catalog, "--rater", "ada", "--out", folder)
    assert run(*made).returncode == 0
    tasks = json.loads((folder / "tasks-ada.json").read_text(encoding="utf-8"))
    no = [{"result": answer("no"), "lead_time": 2.0}]
    with httpx.Client(timeout=300) as client:
        token = server.credentials.admin.token
        sdk = LabelStudio(base_url=server.url, api_key=token, httpx_client=client)
        project = sdk.projects.create(title="Answered", label_config=screen()).id
        for start in range(0, len(tasks), 500):
            some = [{**task, "annotations": no} for task in tasks[start : start + 500]]
            sdk.projects.import_tasks(project, request=some)
    with Ledger(catalog / LEDGER) as ledger:
        Judgments(ledger).add_project(server.url, "ada", project)
