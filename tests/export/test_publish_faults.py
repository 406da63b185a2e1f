"""`--push` to a hub that refuses, breaks or is interrupted: one message, and a rerun completes."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from hashlib import sha256
from pathlib import Path

import huggingface_hub.constants
import pytest

from annotator.pipeline.publish import publish, to_send
from tests import PATIENCE
from tests.commands import SCRIPT, error_of, files_of, run, text_of
from tests.export.conftest import REPO
from tests.loopback_hub import closed_port
from tests.loopback_push import PushHub

Capture = pytest.CaptureFixture[str]
# huggingface_hub's own, where it hands a file to httpx2.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


def failing(capsys: Capture, bare: Path, tmp_path: Path, hub: PushHub, repo: str = REPO) -> str:
    """What a push that the hub does not take says; the files are here, and nothing is there."""
    out = tmp_path / "hf"
    said = error_of(capsys, "export", bare, "--to", "hf", "--out", out, "--push", repo)
    assert f"nothing was published at {repo}: " in said
    assert said.count("\n") == 1
    assert hub.token not in said
    assert "Signature" not in said
    assert len(to_send(out)) == 3
    assert all(one.commits == [] for one in hub.repos.values())
    return said


def test_no_token(
    bare: Path, hub: PushHub, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    said = failing(capsys, bare, tmp_path, hub)
    assert "there is no token. Run hf auth login, or set HF_TOKEN" in said
    assert hub.requests == []


def test_a_token_that_is_not_taken(
    bare: Path, hub: PushHub, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_wrongwrongwrong")
    said = failing(capsys, bare, tmp_path, hub)
    assert "the hub does not take the token. Run hf auth login" in said
    assert "wrongwrong" not in said


def test_a_place_where_the_token_may_not_write(
    bare: Path, hub: PushHub, tmp_path: Path, capsys: Capture
) -> None:
    assert "the token may not write there" in failing(capsys, bare, tmp_path, hub, "others/heads")


def test_an_owner_that_is_not_there(
    bare: Path, hub: PushHub, tmp_path: Path, capsys: Capture
) -> None:
    assert "no such owner or repository" in failing(capsys, bare, tmp_path, hub, "nobody/heads")


def test_nobody_listens(
    bare: Path, hub: PushHub, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", closed_port())
    said = failing(capsys, bare, tmp_path, hub)
    assert "the hub cannot be reached" in said
    assert "Run the same command again" in said


def test_a_hub_that_is_none(
    bare: Path, hub: PushHub, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "tests.loopback_push._Handler._create", lambda self, _: self._answer(200, "hello")
    )
    assert "the hub's answer cannot be used" in failing(capsys, bare, tmp_path, hub)


def test_without_a_network_by_choice(
    bare: Path, hub: PushHub, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    huggingface_hub.close_session()
    try:
        assert "HF_HUB_OFFLINE is set. Unset it" in failing(capsys, bare, tmp_path, hub)
    finally:
        huggingface_hub.close_session()


@pytest.mark.parametrize(
    ("step", "status"),
    [
        *(("preupload", 500), ("lfs", 503), ("put", 403), ("put", 500)),
        *(("commit", 400), ("commit", 503), ("tree", 500), ("validate-yaml", 400)),
    ],
)
def test_a_hub_that_fails_on_the_way_and_then_does_not(
    bare: Path, hub: PushHub, tmp_path: Path, capsys: Capture, step: str, status: int
) -> None:
    hub.refused[step] = status
    failing(capsys, bare, tmp_path, hub)
    hub.refused.clear()
    text_of(capsys, "export", bare, "--to", "hf", "--out", tmp_path / "hf", "--push", REPO)
    assert hub.repos[REPO].branches["main"] == files_of(tmp_path / "hf")


def test_an_upload_that_breaks_is_tried_again(dataset: Path, hub: PushHub) -> None:
    hub.breaks = 2
    publish(dataset, REPO)
    assert hub.repos[REPO].branches["main"] == files_of(dataset)


def test_an_upload_that_breaks_for_good_sends_only_the_rest_again(
    bare: Path, hub: PushHub, tmp_path: Path, capsys: Capture
) -> None:
    hub.breaks = 1000
    said = failing(capsys, bare, tmp_path, hub)
    assert "the connection broke" in said
    hub.breaks = 0
    content = (tmp_path / "hf" / "data" / "mappings.parquet").read_bytes()
    hub.stored[sha256(content).hexdigest()] = content
    hub.requests.clear()
    publish(tmp_path / "hf", REPO)
    assert sum(method == "PUT" for method, _ in hub.requests) == 1
    assert hub.repos[REPO].branches["main"] == files_of(tmp_path / "hf")


def test_interrupted_while_it_uploads(bare: Path, hub: PushHub, tmp_path: Path) -> None:
    """The store lets the client wait; ^C ends it, nothing is published, and a rerun completes."""
    hub.waits.clear()
    environment = {**os.environ, "HF_HUB_DISABLE_XET": "1", "HF_HOME": str(tmp_path / "home")}
    command = [SCRIPT, "export", bare, "--to", "hf", "--out", tmp_path / "hf", "--push", REPO]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        deadline = time.monotonic() + PATIENCE
        while not any(method == "PUT" for method, _ in hub.requests):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=PATIENCE)
    hub.waits.set()
    assert process.returncode == 130
    assert "Traceback" not in stderr
    assert "Stopped." in stderr
    assert hub.repos[REPO].commits == []
    done = run(*command[1:], HF_HUB_DISABLE_XET="1", HF_HOME=str(tmp_path / "home"))
    assert done.returncode == 0, done.stderr
    assert hub.repos[REPO].branches["main"] == files_of(tmp_path / "hf")
