from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub.constants
import pytest

import annotator
from annotator.catalog.descriptions import LEDGER
from annotator.catalog.read import open_catalog
from annotator.describe.outcome import Described, Outcome, Refused, Truncated, Unclear, fields_of
from annotator.ledger.attempt_results import AttemptResult
from annotator.ledger.judgments import Judgments
from annotator.ledger.ledger import Ledger
from annotator.pipeline.describe import describe_heads
from annotator.records import HeadId
from annotator.views.figures import panels as figures
from tests.answering import make_home
from tests.judge.made import items_of, judgment
from tests.loopback_push import PushHub, running

SECRET = "hunter2-the-secret-token"
URL = "http://10.1.2.3:8080/v1"
LLMS = (
    f"openai:tiny@{URL}",
    "openai:tiny@https://elsewhere.example/v1",
    "local:/home/ada/tiny.gguf",
)
REPO = "me/heads"
RATERS = ("zoe", "ada.lovelace@example.com", "ben")
HOSTILE = "=1+1,'\"\n| <b>\x00\x1b[31m ␣ {{ 7 * 7 }} \u2028"
OUTCOMES: tuple[Outcome, ...] = (
    Described("Capitals follow countries.", "countries", "their capitals", "semantic"),
    Described(HOSTILE, HOSTILE, HOSTILE, "general"),
    Unclear("Nothing recurs.", "unclear"),
    Refused("I would rather not"),
    Truncated(512),
)


def described(catalog: Path) -> None:
    """Five heads by three language models, of which two have the same name; all by the rules."""
    with Ledger(catalog / LEDGER) as ledger:
        for llm in LLMS:
            for at, outcome in enumerate(OUTCOMES):
                head, key = HeadId(at % 3, at % 4), sha256(f"{at} {llm}".encode()).hexdigest()
                ledger.add(llm, [(head, key, {"template": "abc", "base_url": URL})])
                came = AttemptResult(outcome.kind, fields_of(outcome), SECRET, 100, 10, 1.5)
                ledger.record(ledger.begin(key, {}), came)
    describe_heads(catalog, "rules", progress=False)


def judged(catalog: Path) -> None:
    """Three raters, of whom the last by name answered first."""
    opened = open_catalog(catalog)
    said = [
        one for one in opened.descriptions(llm=LLMS[0]) if one.status in ("described", "unclear")
    ]
    items = items_of(said, {one.head: opened.head(one.head) for one in said})
    given: list[Any] = []
    for at, rater in enumerate(RATERS):
        answers = (True, False, None)
        given += [
            judgment(item, rater, answers[(at + n) % 3], comment=HOSTILE if n else "")
            for n, item in enumerate(items)
        ]
    with Ledger(catalog / LEDGER) as ledger:
        judgments = Judgments(ledger)
        judgments.add_items(items)
        judgments.add_project("http://label-studio.example", RATERS[0], 7)
        judgments.record((one, {"email": RATERS[1]}) for one in given)


@pytest.fixture(scope="package")
def all_there(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalog with every table that there is; nobody writes in it."""
    home = make_home(tmp_path_factory.mktemp("exporting"))
    catalog = home / "catalog"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures, "drawn", lambda *_: [])
        annotator.correlate(catalog, variants=True, progress=False)
        annotator.multi_token(catalog, progress=False)
        annotator.ablate(catalog, progress=False)
    described(catalog)
    judged(catalog)
    return catalog


@pytest.fixture(scope="package")
def bare(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalog that was mapped, and no more; nobody writes in it."""
    out = tmp_path_factory.mktemp("bare") / "catalog"
    annotator.map_model(tiny_folder, out, progress=False)
    return out


@pytest.fixture
def copied(all_there: Path, tmp_path: Path) -> Path:
    """The catalog with every table, to write in."""
    return shutil.copytree(all_there, tmp_path / "catalog")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[PushHub]:
    """A hub, and a user of it who is logged in."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_TOKEN_PATH", str(tmp_path / "no token"))
    quick = SimpleNamespace(**{**vars(time), "sleep": lambda _: None})
    monkeypatch.setattr("huggingface_hub.utils._http.time", quick)
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HUB_OFFLINE", "HF_OIDC_RESOURCE"):
        monkeypatch.delenv(name, raising=False)
    with running() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setenv("HF_TOKEN", hub.token)
        yield hub


@pytest.fixture(scope="module")
def dataset(all_there: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dataset") / "hf"
    annotator.export(all_there, "hf", out, progress=False)
    return out
