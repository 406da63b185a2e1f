"""Output that nobody reads to its end, or that cannot be written: what a command then does."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.request import urlopen

import pytest

from annotator.catalog.read import open_catalog
from tests import PATIENCE
from tests.cli.together import run_all
from tests.commands import SCRIPT, only_error

UNREAD = (
    *("--help", "--version", "families", "judge --help", "show C L0H0", "heads C"),
    *("heads C --telling", "relations C", "relations C --relation last_letter", "descriptions C"),
    *("judge report C --llm made-up", "ledger check C", "validate compare C"),
    *("export C --to jsonl", "row M L0H0 #5", "find M #5 #6", "describe C --llm rules --all"),
    *("judge export C --rater ada --llm made-up", "map M --out O"),
)


def words(line: str, catalog: Path, model: Path, out: Path) -> list[str]:
    named = {"C": str(catalog), "M": str(model), "O": str(out)}
    return [named.get(word, word) for word in line.split()]


def test_a_reader_that_has_had_enough_is_no_failure(
    everything: Path, tiny_folder: Path, tmp_path: Path
) -> None:
    catalog = shutil.copytree(everything, tmp_path / "catalog")
    commands = [words(line, catalog, tiny_folder, tmp_path / "out") for line in UNREAD]
    for ran in run_all(commands, out="broken", PYTHONUNBUFFERED=""):
        assert (ran.code, ran.err) == (0, ""), ran.words
    assert len(open_catalog(catalog).descriptions(llm="rules")) == 16
    assert (catalog / "export" / "jsonl" / "heads.jsonl").is_file()
    assert open_catalog(tmp_path / "out").manifest.dims["n_heads"] == 4, "its work was done"


def test_nobody_reads_the_progress_either(
    everything: Path, tiny_folder: Path, tmp_path: Path
) -> None:
    """As in `annotator describe ... 2>&1 | head`; a paid run goes on."""
    catalog = shutil.copytree(everything, tmp_path / "catalog")
    lines = ("show C L0H0", "describe C --llm rules --heads L0H1", "show C L9H9", "show")
    commands = [words(line, catalog, tiny_folder, tmp_path / "out") for line in lines]
    codes = [one.code for one in run_all(commands, out="broken", err="broken")]
    assert codes == [0, 0, 1, 2]


def test_only_the_first_line_is_read(everything: Path) -> None:
    command = [SCRIPT, "relations", everything]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert "relations are valid for" in process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(PATIENCE) == 0


def test_a_page_is_served_although_nobody_reads_its_address(
    everything: Path, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    reader, writer = os.pipe()
    os.close(reader)
    command = [SCRIPT, "view", everything, "--no-browser", "--port", str(port)]
    command += ["--out", tmp_path / "page"]
    with subprocess.Popen(command, stdout=writer, stderr=subprocess.PIPE, text=True) as process:
        os.close(writer)
        try:
            _read_from(f"http://127.0.0.1:{port}/", process)
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    assert (process.returncode, said) == (0, "")


def _read_from(address: str, process: subprocess.Popen[str]) -> None:
    given_up = time.monotonic() + PATIENCE
    while time.monotonic() < given_up:
        assert process.poll() is None
        try:
            with urlopen(address) as page:
                assert page.status == 200
                return
        except OSError:
            time.sleep(0.1)
    pytest.fail("it does not answer")


@pytest.mark.parametrize(("line", "unbuffered"), [("--version", "1"), ("heads C", "")])
def test_a_full_disk_is_one_error(everything: Path, line: str, unbuffered: str) -> None:
    command = [SCRIPT, *words(line, everything, everything, everything)]
    ended = _run_on("/dev/full", command, PYTHONUNBUFFERED=unbuffered)
    assert ended.returncode == 1
    assert only_error(ended.stderr).endswith("No space left on device: '<stdout>'\n")
    assert "Exception ignored" not in ended.stderr


def _run_on(
    place: str, command: Sequence[object], **environment: str
) -> subprocess.CompletedProcess[str]:
    with Path(place).open("w") as out:
        return subprocess.run(
            [str(word) for word in command],
            env={**os.environ, **environment},
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=PATIENCE,
        )


CLOSED = {
    "map M --out O": "<&- >&- 2>&-",
    "show C L0H0": ">&-",
    "heads C": "2>/dev/full >/dev/null",
}


@pytest.mark.parametrize("line", CLOSED)
def test_streams_that_are_closed_from_the_start(
    everything: Path, tiny_folder: Path, tmp_path: Path, line: str
) -> None:
    """A file that is opened in their place must not be written to in their name."""
    command = words(line, everything, tiny_folder, tmp_path / "out")
    ended = subprocess.run(
        ["sh", "-c", f'"$0" "$@" {CLOSED[line]}', SCRIPT, *command],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    if line.startswith("map"):
        assert open_catalog(tmp_path / "out").manifest.dims["n_heads"] == 4


def test_an_error_that_nobody_can_be_told_is_an_exit_code(tmp_path: Path) -> None:
    shell = f'"$0" show {tmp_path} L0H0 2>&-'
    ended = subprocess.run(["sh", "-c", shell, SCRIPT], check=False, timeout=PATIENCE)
    assert ended.returncode == 1
