"""A recipe's model, what annotator reads of it once transformers has saved it, and what it does."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from annotator.weights.model import LayerHeads, Model, open_model
from tests import oracle, recipes


@dataclass(frozen=True)
class Subject:
    """A recipe under test; everything is computed once, so it is not to be changed."""

    name: str
    folder: Path

    @cached_property
    def module(self) -> Any:
        """The model, as transformers runs it."""
        return recipes.built(self.name)

    @cached_property
    def model(self) -> Model:
        """The saved model, as annotator reads it."""
        self.module.save_pretrained(self.folder)
        return open_model(self.folder, dtype="float64")

    @cached_property
    def heads(self) -> list[LayerHeads]:
        """The saved model's heads, layer by layer."""
        return [self.model.heads(layer) for layer in range(self.model.dims.n_layers)]

    @cached_property
    def modules(self) -> oracle.Modules:
        return oracle.Modules(self.module)

    @cached_property
    def attended(self) -> list[oracle.Attended]:
        return oracle.attended(self.module)

    @cached_property
    def ends(self) -> oracle.Ends:
        return oracle.ends(self.module)

    @cached_property
    def X(self) -> Tensor:
        """The source representation, by the module's own norms and MLP."""
        return self.modules.written(self.ends.embedded)


@pytest.fixture(scope="package")
def one_thread() -> Generator[None]:
    """Without torch's threads, which for tiny products wait for each other most of the time."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="package")
def subject_of(
    tmp_path_factory: pytest.TempPathFactory, one_thread: None
) -> Callable[[str], Subject]:
    """Recipe -> what is tested of it."""
    root = tmp_path_factory.mktemp("recipes")
    return cache(lambda name: Subject(name, root / name))


@pytest.fixture(params=recipes.ALL)
def subject(request: pytest.FixtureRequest, subject_of: Callable[[str], Subject]) -> Subject:
    """Each recipe in turn."""
    return subject_of(request.param)


@pytest.fixture(scope="package")
def subjects(subject_of: Callable[[str], Subject]) -> list[Subject]:
    """All of them."""
    return [subject_of(name) for name in recipes.ALL]
