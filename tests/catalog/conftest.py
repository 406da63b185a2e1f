from __future__ import annotations

from pathlib import Path

import pytest

import annotator
from tests.related import DRAWS, RELATIONS, SPARSE


@pytest.fixture
def catalog(tiny_folder: Path, tmp_path: Path) -> annotator.Catalog:
    """The tiny model, mapped."""
    return annotator.map_model(tiny_folder, tmp_path / "catalog")


@pytest.fixture(scope="package")
def scored(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> annotator.Catalog:
    """Another catalog of it, with relation scores; nobody writes in it."""
    out = tmp_path_factory.mktemp("scored") / "catalog"
    mapped = annotator.map_model(tiny_folder, out)
    return annotator.score_relations(mapped, (*RELATIONS, SPARSE), draws=DRAWS)
