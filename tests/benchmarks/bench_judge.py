"""How long 2,000 tasks take to a real Label Studio and back, and the memory of both sides.

python -m tests.benchmarks.bench_judge [TASKS] [--small]
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from label_studio_sdk import LabelStudio

from annotator.label_studio.client import TASKS_CHUNK, Studio
from annotator.label_studio.server import Server
from annotator.label_studio.task import Task, screen
from tests.benchmarks.common import SMALL, Report, peak_bytes, seconds
from tests.judge.fake_studio import task

SIZE = 11_000  # bytes of a task's table, as of 30 sources with 5 targets each
TASKS, ANSWERED = (20, 5) if SMALL else (2000, 100)
"""How many, and how many of them through the API, one at a time."""
MIB = 2**20
NO = {"from_name": "pattern", "to_name": "mappings", "type": "choices"}
ANSWER = [{**NO, "value": {"choices": ["no"]}}]


def large(number: int) -> Task:
    """A task as large as a real one."""
    small = task(number)
    return Task(small.item, {**small.data, "mappings_html": f"<p>{number:0{SIZE}}</p>"})


def children(pid: int) -> Iterator[int]:
    """All processes below one."""
    for below in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, below.read_text().split()):
            yield child
            yield from children(child)


def server_bytes() -> int:
    """Most memory that the processes which we started ever had, one by one, added up."""
    kibibytes = 0
    for child in children(os.getpid()):
        lines = Path(f"/proc/{child}/status").read_text().splitlines()
        kibibytes += sum(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    return 1024 * kibibytes


@contextmanager
def sdk_of(server: Server, token: str) -> Iterator[LabelStudio]:
    with httpx.Client(timeout=600) as client:
        yield LabelStudio(base_url=server.url, api_key=token, httpx_client=client, max_retries=0)


def pushed(report: Report, studio: Studio, count: int) -> int:
    """Push, look, push again."""
    project = studio.make_project("Pushed", "annotator bench ada", screen(), "")
    tasks = [large(number) for number in range(count)]
    took = seconds(lambda: studio.push(project, tasks))
    report.line("push", f"{took:8.2f} s   ({len(tasks)} tasks of {SIZE / 1000:.0f} kB)")
    again = seconds(lambda: studio.push(project, tasks))
    report.line("push again", f"{again:8.2f} s   ({len(studio.items(project))} tasks there)")
    return project


def answered(report: Report, server: Server, project: int) -> None:
    """Answer some as a rater would, one at a time."""
    with sdk_of(server, server.credentials.raters[0].token) as sdk:
        listed = sdk.tasks.list(project=project, page_size=ANSWERED, fields="task_only")
        ids = [one.id for one in listed.items or []]
        start = time.perf_counter()
        for id in ids:
            sdk.annotations.create(id, result=ANSWER, lead_time=1.0)
        each = (time.perf_counter() - start) / len(ids)
    report.line("one answer through the API", f"{each:8.3f} s")


def pulled(report: Report, server: Server, studio: Studio, count: int) -> None:
    """Read as many answered tasks back; they come in with their answers, which is quicker."""
    project = studio.make_project("Pulled", "annotator bench ben", screen(), "")
    answers = [{"result": ANSWER, "lead_time": 1.0}]
    body = [{"data": dict(large(number).data), "annotations": answers} for number in range(count)]
    with sdk_of(server, server.credentials.admin.token) as sdk:
        for start in range(0, count, TASKS_CHUNK):
            sdk.projects.import_tasks(project, request=body[start : start + TASKS_CHUNK])
    del body
    report.line("counts", f"{seconds(lambda: studio.counts(project)):8.2f} s")
    took = seconds(lambda: studio.answers(project))
    report.line("pull", f"{took:8.2f} s   ({len(studio.answers(project))} answered tasks)")


def main() -> None:
    count = next((int(one) for one in sys.argv[1:] if one != "--small"), TASKS)
    report = Report()
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder) / "s", ["ada"]) as server:
        report.line("start", f"{time.perf_counter() - start:8.2f} s")
        with Studio(server.url, server.credentials.admin.token) as studio:
            report.line("this process, first request", f"{seconds(studio.whoami):8.2f} s")
            report.line("its memory so far", f"{peak_bytes() / MIB:8.0f} MiB")
            report.line("the server's memory so far", f"{server_bytes() / MIB:8.0f} MiB")
            project = pushed(report, studio, count)
            report.line("peak memory, this process", f"{peak_bytes() / MIB:8.0f} MiB")
            answered(report, server, project)
            pulled(report, server, studio, count)
            report.line("peak memory, this process", f"{peak_bytes() / MIB:8.0f} MiB")
            report.line("peak memory, the server", f"{server_bytes() / MIB:8.0f} MiB")
    report.end()


if __name__ == "__main__":
    main()
