from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from annotator.describe import openai as module
from annotator.describe.openai import OpenAi
from annotator.pipeline.map import map_model
from tests.describe import loopback
from tests.describe.asking import Asked
from tests.describe.loopback import Provider
from tests.describe.sdks import BOTH, OPENAI_KEY, Sdk


@pytest.fixture
def provider() -> Iterator[Provider]:
    with loopback.running() as server:
        yield server


@pytest.fixture
def asked(provider: Provider, tmp_path: Path) -> Iterator[Asked]:
    one = Asked(provider, tmp_path)
    yield one
    one.close()


@pytest.fixture(scope="session")
def mapped(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("described") / "tiny"
    map_model(tiny_folder, out, progress=False)
    return out


@pytest.fixture
def catalog(mapped: Path, tmp_path: Path) -> Path:
    """A tiny model's, of twelve heads, with nothing said of them yet."""
    return shutil.copytree(mapped, tmp_path / "catalog")


@pytest.fixture
def llm(provider: Provider) -> Iterator[OpenAi]:
    """A server that only speaks the protocol."""
    one = OpenAi("tiny", provider.url + "/v1", OPENAI_KEY)
    yield one
    one.close()


@pytest.fixture
def own(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenAi]:
    """OpenAI itself."""
    monkeypatch.setattr(module, "OPENAI_URL", provider.url + "/v1")
    one = OpenAi("gpt-tiny", key=OPENAI_KEY)
    yield one
    one.close()


@pytest.fixture(params=BOTH.values(), ids=BOTH.keys())
def sdk(request: pytest.FixtureRequest) -> Sdk:
    """Either."""
    return request.param
