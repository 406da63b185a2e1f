"""A Label Studio token goes where it was meant to go, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from annotator.cli import main
from tests.commands import error_of, run
from tests.judge import fake_studio
from tests.judge.studies import Capture, Study


def test_tokens_are_taken_from_the_environment_too(study: Study) -> None:
    token = study.server.credentials.admin.token
    study.push("--heads", "L0H0")
    done = run(
        *("judge", "status", study.catalog, "--url", study.server.url), LABEL_STUDIO_API_KEY=token
    )
    assert done.returncode == 0, done.stderr
    assert "ada" in done.stdout
    wrong = run(
        *("judge", "status", study.catalog, "--url", study.server.url),
        LABEL_STUDIO_API_KEY="0" * 40,
    )
    assert wrong.returncode == 1
    assert "refuses the token" in wrong.stderr
    assert "Traceback" not in wrong.stderr


def test_a_token_goes_where_it_was_meant_to_go(
    catalog: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is refused before it is sent: `.example` (RFC 2606) is nobody's."""
    status = ("judge", "status", catalog, "--url")
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "of-the-environment")
    said = error_of(capsys, *status, "https://labels.example")
    assert "goes by itself only to the server that LABEL_STUDIO_URL names" in said
    assert "Give --token-env LABEL_STUDIO_API_KEY" in said
    assert "Invalid IPv6" not in error_of(capsys, *status, "http://[::1")
    monkeypatch.setenv("LABEL_STUDIO_URL", "https://other.example")
    here = error_of(capsys, *status, "http://127.0.0.1:1")
    assert "goes by itself only to the server" in here
    given = error_of(capsys, *status, "https://labels.example", "--token-env", "sk-012345")
    assert "no variable's name" in given
    assert "012345" not in given
    assert said == error_of(capsys, *status, "https://labels.example")
    said = error_of(capsys, *status, "https://labels.example", "--token-env", "NOT_SET")
    assert "it wants a token, and NOT_SET holds none" in said
    said = error_of(capsys, *status, "https://ada:hunter2@labels.example")
    assert "hunter2" not in said
    for meant in (
        ("http://labels.example", "--token", "x"),
        ("http://labels.example", "--token-env", "LABEL_STUDIO_API_KEY"),
    ):
        said = error_of(capsys, *status, *meant)
        assert "over http others can read the token on its way. Use https, or --allow-http" in said
    monkeypatch.setenv("LABEL_STUDIO_URL", "http://Labels.example/")
    assert "over http others can read" in error_of(capsys, *status, "http://labels.example")


def test_a_token_that_was_meant_to_go_goes(
    catalog: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    with fake_studio.faking() as fake:
        monkeypatch.setenv("HTTP_PROXY", fake.url)
        monkeypatch.setenv("MINE", fake_studio.TOKEN)
        url = "http://labels.example"
        on = (*("--url", url), *("--token-env", "MINE"), "--allow-http")
        assert main(["judge", "push", str(catalog), "--rater", "ada", *on]) == 0
    assert f"ada: {url}/projects/" in capsys.readouterr().out
