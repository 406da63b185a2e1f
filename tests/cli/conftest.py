from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from annotator.catalog.experiment_shards import VALIDATION_FOLDER
from annotator.catalog.shards import Shards
from annotator.views.figures import comparison, panels
from tests.answering import make_home
from tests.cli.everything import make as make_everything


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model of `tests.answering`, its relations, and a catalog with their scores."""
    return make_home(tmp_path_factory.mktemp("answering"))


@pytest.fixture(scope="session")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The catalog of `tests.cli.everything`; nobody writes in it."""
    folder = tmp_path_factory.mktemp("everything") / "catalog"
    make_everything(folder)
    return folder


@pytest.fixture
def answering(home: Path, tmp_path: Path) -> Path:
    """That catalog, to write in."""
    return shutil.copytree(home / "catalog", tmp_path / "catalog")


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The relations of which a shard is written from now on."""
    names: list[str] = []
    write = Shards.write

    def noting(shards: Shards, part: str, *rest: Any) -> None:
        write(shards, part, *rest)
        if shards.folder.name == VALIDATION_FOLDER:  # and not of a map or of scores
            names.append(part)

    monkeypatch.setattr(Shards, "write", noting)
    return names


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes longer than all else."""

    def nothing(*_: Any) -> list[Path]:
        return []

    for figures in (comparison, panels):
        monkeypatch.setattr(figures, "drawn", nothing)
