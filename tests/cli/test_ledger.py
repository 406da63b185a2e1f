"""`annotator ledger`, and every other command where the ledger's disk has no locks."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import signal
import subprocess
import sys
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import annotator
from annotator.catalog.descriptions import LEDGER
from annotator.catalog.read import open_catalog
from annotator.cli import main
from annotator.errors import BackupFailed, LedgerUnlockable
from annotator.ledger import sqlite
from tests import PATIENCE
from tests.before.files import again
from tests.commands import error_of, files_of, text_of
from tests.ledger import lockless
from tests.ledger.others import rows
from tests.ledger.test_check import damaged

Capture = pytest.CaptureFixture[str]

# Each command in one process, which has no locks and so none for SQLite; in how many seconds.
WITHOUT_LOCKS = """
import json, sys, time
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
import annotator.pipeline.export, annotator.pipeline.describe, annotator.ledger.ledger
from annotator.cli import main
from tests.ledger import lockless

lockless.refuse_locks()
for words in json.loads(sys.argv[1]):
    started, out, err = time.monotonic(), StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(words)
    print(json.dumps([code, out.getvalue(), err.getvalue(), time.monotonic() - started]))
"""
SAID = (
    "Without descriptions and judgments: the ledger {0} cannot be used: its disk has no file locks"
)


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    """A catalog with descriptions and judgments, its ledger of today's version."""
    folder = again(tmp_path / "catalog")
    annotator.describe_heads(folder, "rules", heads=["L0H0"], progress=False)
    return folder


@pytest.fixture
def no_locks(catalog: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    assert catalog.is_dir()  # it was made before
    monkeypatch.setattr(fcntl, "lockf", refuse)


def counts(text: str) -> dict[str, int]:
    """The numbers of a table by their names."""
    found = re.findall(r"^( *[a-z_ ]+?) +([\d,]+) *$", text, re.MULTILINE)
    return {name: int(number.replace(",", "")) for name, number in found}


def test_a_check_prints_what_a_ledger_holds(catalog: Path, capsys: Capture) -> None:
    before = files_of(catalog)
    text = text_of(capsys, "ledger", "check", catalog)
    assert text.startswith(f"{catalog / LEDGER} is whole; version ")
    printed, found = counts(text), annotator.check_ledger(catalog).contents
    assert found is not None
    for table in ("requests", "attempts", "outcomes", "claims", "items", "judgments", "projects"):
        assert printed[table] == found.rows[table]
        assert rows(catalog / LEDGER, f"SELECT count(*) FROM {table}") == [(printed[table],)]
    assert {f"  {kind}": count for kind, count in found.outcomes.items()}.items() <= printed.items()
    assert printed["in flight"] == found.in_flight
    assert files_of(catalog) == before
    assert text_of(capsys, "ledger", "check", catalog / LEDGER) == text


def test_a_check_names_every_problem(catalog: Path, capsys: Capture) -> None:
    damaged(catalog / LEDGER, "DROP INDEX judgments_by_item", "DROP TRIGGER no_update_of_items")
    message = error_of(capsys, "ledger", "check", catalog)
    assert message.startswith(f"the ledger {catalog / LEDGER} is damaged:\n")
    assert message.count("\n  - ") == 2
    assert "  - trigger no_update_of_items of items is missing\n" in message
    assert "  - index on item of judgments is missing\n" in message
    assert "Nothing was changed" in message


def test_where_there_is_no_ledger(tmp_path: Path, capsys: Capture) -> None:
    for words in (["check", tmp_path], ["backup", tmp_path, tmp_path / "copy.db"]):
        message = error_of(capsys, "ledger", *words)
        assert message.startswith(f"there is no ledger at {tmp_path / LEDGER}. ")
    assert "no ledger at nowhere" in error_of(capsys, "ledger", "check", "nowhere")
    assert list(tmp_path.iterdir()) == []


def test_a_backup_is_printed_checked_and_read(
    catalog: Path, tmp_path: Path, capsys: Capture
) -> None:
    copy = tmp_path / "copy.db"
    text = text_of(capsys, "ledger", "backup", catalog, copy)
    assert text.startswith(f"{copy} is whole; version ")
    assert text_of(capsys, "ledger", "check", copy) == text
    assert counts(text) == counts(text_of(capsys, "ledger", "check", catalog))
    shown = text_of(capsys, "show", catalog, "L0H0")
    (catalog / LEDGER).unlink()
    text_of(capsys, "ledger", "backup", copy, catalog / LEDGER)
    assert text_of(capsys, "show", catalog, "L0H0") == shown


def test_a_backup_that_is_there_is_replaced_with_force_alone(
    catalog: Path, tmp_path: Path, capsys: Capture
) -> None:
    copy = tmp_path / "copy.db"
    copy.write_bytes(b"something else")
    message = error_of(capsys, "ledger", "backup", catalog, copy)
    assert message == (
        f"no backup was written to {copy}: it exists. Name another file, or replace it with "
        "--force.\n"
    )
    assert copy.read_bytes() == b"something else"
    text_of(capsys, "ledger", "backup", catalog, copy, "--force")
    text_of(capsys, "ledger", "check", copy)
    with pytest.raises(BackupFailed):
        annotator.backup_ledger(catalog, copy)
    assert annotator.backup_ledger(open_catalog(catalog), copy, force=True).version


def test_a_backup_needs_no_catalog_that_can_be_read(
    catalog: Path, tmp_path: Path, capsys: Capture
) -> None:
    (catalog / "catalog.json").write_text("{")
    text_of(capsys, "ledger", "backup", catalog, tmp_path / "copy.db")


def test_a_backup_that_takes_long_shows_how_far_it_is(
    catalog: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("annotator.pipeline.progress.DELAY", 0.0)
    monkeypatch.setattr("annotator.ledger.backup._PAGES", 7)
    (pages,) = rows(catalog / LEDGER, "PRAGMA page_count")[0]
    assert main(["ledger", "backup", str(catalog), str(tmp_path / "copy.db")]) == 0
    shown = capsys.readouterr().err
    assert "Backing up" in shown
    assert f"{pages}/{pages}" in shown


def test_ctrl_c_leaves_nothing_of_a_backup(catalog: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from annotator.ledger import backup; from annotator.cli import main\n"
        "backup._PAGES = 1\n"
        "copy = backup._copy\n"
        "def copying(ledger, part, file, into, watch):\n"
        "    def slowly(*far):\n"
        "        print(part.exists(), flush=True), sys.stdin.readline(), watch(*far)\n"
        "    copy(ledger, part, file, into, slowly)\n"
        "backup._copy = copying\n"
        "sys.exit(main())"
    )
    (tmp_path / "copies").mkdir()
    words = ["ledger", "backup", str(catalog), str(tmp_path / "copies" / "copy.db")]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", code, *words], stdin=pipe, stdout=pipe, stderr=pipe, text=True
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "True\n"
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=PATIENCE)
    assert running.returncode == 130
    assert said.strip() == "Stopped."
    assert list((tmp_path / "copies").iterdir()) == []


SHOWING = (
    ["show", "{0}", "L0H0"],
    ["heads", "{0}"],
    ["heads", "{0}", "--sort", "copy", "--top", "3"],
    ["export", "{0}", "--to", "csv"],
    ["export", "{0}", "--to", "hf"],
    ["export", "{0}", "--to", "site"],
)
REFUSED = (
    ["describe", "{0}", "--llm", "openai:nobody@http://127.0.0.1:9", "--all"],
    ["descriptions", "{0}"],
    ["judge", "serve", "{0}", "--rater", "ada"],
    ["judge", "push", "{0}", "--rater", "ada", "--llm", "rules"],
    ["judge", "status", "{0}"],
    ["judge", "pull", "{0}"],
    ["judge", "report", "{0}"],
    ["judge", "export", "{0}", "--rater", "ada", "--llm", "rules"],
    ["export", "{0}", "--to", "hf", "--push", "me/heads"],
    ["export", "{0}", "--to", "hf", "--push", "me/heads", "--dry-run"],
    ["ledger", "check", "{0}"],
    ["ledger", "backup", "{0}", "{0}/copy.db"],
)


def words_for(catalog: Path, words: list[str]) -> list[str]:
    return [word.format(catalog) for word in words]


@pytest.mark.usefixtures("no_locks")
@pytest.mark.parametrize("words", SHOWING, ids=" ".join)
def test_without_locks_all_else_is_shown(catalog: Path, capsys: Capture, words: list[str]) -> None:
    capsys.readouterr()
    assert main(words_for(catalog, words)) == 0
    said = capsys.readouterr().err
    assert said.startswith(SAID.format(catalog / LEDGER))
    assert len(said.splitlines()) == 1
    assert not list(catalog.rglob("descriptions.csv"))


@pytest.mark.usefixtures("no_locks")
@pytest.mark.parametrize("words", REFUSED, ids=" ".join)
def test_without_locks_nothing_is_begun(catalog: Path, capsys: Capture, words: list[str]) -> None:
    before = files_of(catalog)
    message = error_of(capsys, *words_for(catalog, words))
    assert message.startswith(f"the ledger {catalog / LEDGER} cannot be used: its disk has no file")
    assert "copy the catalog to a local disk" in message
    assert files_of(catalog) == before


@pytest.mark.usefixtures("no_locks")
def test_without_locks_the_page_is_served(
    catalog: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ThreadingHTTPServer, "serve_forever", lambda _: None)
    capsys.readouterr()
    assert main(["view", str(catalog), "--no-browser"]) == 0
    printed = capsys.readouterr()
    assert "http://127.0.0.1" in printed.out
    assert printed.err.count("Without descriptions and judgments") == 1


@pytest.mark.usefixtures("no_locks")
def test_what_is_left_out_is_not_said_not_to_be(catalog: Path, tmp_path: Path) -> None:
    card = annotator.export(catalog, "hf", tmp_path / "hf", progress=False)[0].read_text("utf-8")
    assert "Descriptions and judgments are left out" in card
    page = annotator.export(catalog, "site", tmp_path / "site", progress=False)[0].parent
    overview = (page / "data" / "overview.js").read_text("utf-8")
    assert '"without_ledger":true' in overview
    assert '"describers":[]' in overview


def test_with_locks_nothing_is_left_out(catalog: Path, tmp_path: Path, capsys: Capture) -> None:
    capsys.readouterr()
    card = annotator.export(catalog, "hf", tmp_path / "hf", progress=False)[0].read_text("utf-8")
    assert "left out" not in card
    page = annotator.export(catalog, "site", tmp_path / "site", progress=False)[0].parent
    assert '"without_ledger":false' in (page / "data" / "overview.js").read_text("utf-8")
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("no_locks")
def test_without_locks_and_without_a_ledger_nothing_is_left_out(
    catalog: Path, capsys: Capture
) -> None:
    for file in catalog.glob(f"{LEDGER}*"):
        file.unlink()
    for words in (*SHOWING, ["heads", "{0}", "--telling"]):
        capsys.readouterr()
        assert main(words_for(catalog, words)) == 0
        assert capsys.readouterr().err == ""
    said = error_of(capsys, *words_for(catalog, REFUSED[0]))
    assert "no file locks" in said


@pytest.mark.usefixtures("no_locks")
def test_from_python_it_is_an_error(catalog: Path) -> None:
    opened = open_catalog(catalog)
    for read in (opened.descriptions, opened.verdicts, opened.judgments, opened.describers):
        with pytest.raises(LedgerUnlockable):
            read()
    with pytest.raises(LedgerUnlockable):
        opened.frame("judgments")
    assert opened.head("L0H0")
    left = open_catalog(annotator.Catalog(catalog, ledger=False))
    assert (list(left.descriptions()), left.verdicts(), len(left.frame("studies"))) == ([], [], 0)


@pytest.mark.skipif(not lockless.CAN, reason="it takes Linux to refuse a process its locks")
def test_where_the_kernel_gives_no_locks(catalog: Path) -> None:
    every = [words_for(catalog, words) for words in (*SHOWING, *REFUSED)]
    command = [sys.executable, "-c", WITHOUT_LOCKS, json.dumps(every)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.stderr == ""
    came = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(came) == len(every)
    for words, (code, out, said, seconds) in zip(every, came, strict=True):
        assert code == (words in every[len(SHOWING) :]), words
        assert bool(out) != bool(code)
        assert said.count("its disk has no file locks") == 1
        assert len(said.splitlines()) == 1
        assert seconds < sqlite.BUSY_SECONDS / 4, f"{words} waited for SQLite"
