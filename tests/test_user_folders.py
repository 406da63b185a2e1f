"""Where what is this user's alone lies, and what is said where nothing names that place."""

from __future__ import annotations

import pwd
from pathlib import Path

import pytest

from annotator.errors import HomeMissing
from annotator.paths import cache_folder, state_folder

PLACES = {
    "XDG_CACHE_HOME": (cache_folder, ".cache"),
    "XDG_STATE_HOME": (state_folder, ".local/state"),
}


@pytest.fixture(params=PLACES, autouse=True)
def variable(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.delenv("ANNOTATOR_CACHE")
    monkeypatch.delenv(request.param, raising=False)
    return request.param


def test_the_standards_variable_or_the_home(
    variable: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder, in_home = PLACES[variable]
    monkeypatch.setenv("HOME", str(tmp_path))
    for ignored in (None, "", "here"):
        if ignored is not None:
            monkeypatch.setenv(variable, ignored)
        assert folder() == tmp_path / in_home / "annotator"
    monkeypatch.setenv(variable, "/xdg")
    assert folder() == Path("/xdg/annotator")


def test_a_user_without_a_home(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container that was started with a number for a user."""

    def unknown(number: int) -> None:
        raise KeyError(number)

    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    folder, _ = PLACES[variable]
    with pytest.raises(HomeMissing, match=f"HOME is not set.*have {variable} name a folder"):
        folder()
    monkeypatch.setenv(variable, "/xdg")
    assert folder() == Path("/xdg/annotator")
