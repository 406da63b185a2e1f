from __future__ import annotations

import os
import resource
import signal
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import settings

from tests import checked

checked.install()

# No test reaches the internet, and none writes into the user's own caches.
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
# Workers beside each other: one thread each, or torch's threads wait for one another.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# A shell has its background jobs ignore Ctrl-C, and so would the processes that tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

CPU_MINUTES = 26
"""What a run of all tests may take; a run that takes more says so."""

# No timed assertions; in CI the same examples each time, elsewhere new ones.
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")


def pytest_configure(config: pytest.Config) -> None:
    """Import torch and others first where tests run.

    jaxtyping has whatever annotator's modules import in their turn compiled anew, from its source.
    """
    if config.option.dist == "no" or hasattr(config, "workerinput"):
        for name in ("torch", "transformers", "pandas", "pyarrow.parquet", "sqlalchemy", "openai"):
            import_module(name)


@pytest.hookimpl(trylast=True)  # the workers have ended by now, and count
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    minutes = sum(one.ru_utime + one.ru_stime for one in used) / 60
    more = f", more than the {CPU_MINUTES} that a run may take" if minutes > CPU_MINUTES else ""
    line = f"{minutes:.1f} CPU-minutes, those of all processes that tests started included{more}"
    terminalreporter.write_line(line, red=bool(more))


@pytest.fixture(autouse=True)
def own_caches(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = tmp_path_factory.getbasetemp() / "caches"
    monkeypatch.setenv("ANNOTATOR_CACHE", str(shared / "annotator"))
    monkeypatch.setenv("XDG_STATE_HOME", str(shared / "state"))


@pytest.fixture(scope="session")
def real_gguf() -> Path:
    """SmolLM2-135M-Instruct, out of its package."""
    from annotator.pipeline.quickstart import embedded_model

    return embedded_model()


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny GQA llama with its tokenizer, saved by transformers."""
    from tests import tiny

    return tiny.save(tmp_path_factory.mktemp("tiny") / "tiny-llama", tiny.llama())


@pytest.fixture(scope="session")
def ruled(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model's catalog whose twelve heads the rules described."""
    from annotator.pipeline.describe import describe_heads
    from annotator.pipeline.map import map_model

    out = tmp_path_factory.mktemp("ruled") / "tiny"
    map_model(tiny_folder, out, progress=False)
    describe_heads(out, "rules", progress=False)
    return out
