from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from annotator.label_studio import install as environment
from annotator.label_studio.server import Server
from tests.judge.studies import Capture, Study

os.environ.setdefault(
    environment.VARIABLE, str(Path(__file__).resolve().parents[2] / ".label-studio")
)


@pytest.fixture(scope="session")
def label_studio() -> Path:
    """Label Studio's environment, as `make test` makes it."""
    folder = environment.home()
    if not environment.ready(folder):
        pytest.fail(f"Label Studio is not installed in {folder}; run: make test", pytrace=False)
    return folder


@pytest.fixture(scope="session")
def studio_server(label_studio: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real Label Studio, with an admin and the raters ada and ben; tests share it."""
    with Server(tmp_path_factory.mktemp("studio") / "server", ["ada", "ben"]) as server:
        yield server


@pytest.fixture
def catalog(ruled: Path, tmp_path: Path) -> Path:
    return shutil.copytree(ruled, tmp_path / "catalog")


@pytest.fixture
def study(catalog: Path, studio_server: Server, capsys: Capture) -> Iterator[Study]:
    one = Study(catalog, studio_server, capsys)
    yield one
    for client in one.clients:
        client.close()
