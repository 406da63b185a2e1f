"""kill -9 in the middle of `map`: no finished layer is made again, and the result is the same."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from torch import Tensor

from annotator.catalog.build import MAP_SHARDS
from annotator.catalog.read import open_catalog
from annotator.catalog.shards import Shards
from annotator.cli import main
from annotator.errors import CatalogMissing
from annotator.pipeline.map import map_model
from annotator.weights.in_memory import InMemory
from tests import PATIENCE, tiny
from tests.commands import SCRIPT

FILES = ("catalog.json", "maps.parquet", "signatures.parquet")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Large enough that a kill lands in the middle of it, and wide: a shard for each layer."""
    heads = {"num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 8}
    module = tiny.llama(num_hidden_layers=16, hidden_size=64, vocab_size=2000, **heads)
    return tiny.save(tmp_path_factory.mktemp("model") / "tiny", module)


class Run:
    """`annotator map` as a process of its own."""

    def __init__(self, model: Path, out: Path) -> None:
        self.log = out.with_name("log")
        with self.log.open("wb") as log:
            command = [SCRIPT, "map", model, "--out", out]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)

    def stop_after(self, out: Path, layers: int, how: signal.Signals) -> int:
        deadline = time.monotonic() + PATIENCE
        while len(list((out / MAP_SHARDS).glob("signatures/L*.parquet"))) < layers:
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.005)
        self.process.send_signal(how)
        return self.process.wait(timeout=PATIENCE)


@pytest.fixture(scope="module")
def killed(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a run leaves that is killed after some layers."""
    out = tmp_path_factory.mktemp("killed") / "catalog"
    assert Run(model, out).stop_after(out, 2, signal.SIGKILL) == -signal.SIGKILL
    return out


@pytest.fixture
def left(killed: Path, tmp_path: Path) -> Path:
    """That, to go on with."""
    return shutil.copytree(killed, tmp_path / "catalog")


@pytest.fixture(scope="module")
def unbroken(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return map_model(model, tmp_path_factory.mktemp("unbroken") / "catalog").folder


def finish_and_compare(
    model: Path, out: Path, unbroken: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path.stem for path in (out / MAP_SHARDS).glob("signatures/L*.parquet")}
    made: set[str] = set()
    write = Shards.write

    def noting(shards: Shards, part: str, *rest: Any) -> None:
        made.add(part)
        write(shards, part, *rest)

    monkeypatch.setattr(Shards, "write", noting)
    assert main(["map", str(model), "--out", str(out)]) == 0
    assert before
    assert made == {f"L{layer:03d}" for layer in range(16)} - before
    for name in FILES:
        assert (out / name).read_bytes() == (unbroken / name).read_bytes()
    assert not (out / MAP_SHARDS).exists()


def test_kill_9_then_resume(
    model: Path, left: Path, unbroken: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not (left / "maps.parquet").exists()
    finish_and_compare(model, left, unbroken, monkeypatch)


def test_ctrl_c_says_how_to_go_on(
    model: Path, unbroken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "catalog"
    run = Run(model, out)
    assert run.stop_after(out, 3, signal.SIGINT) == 130
    message = run.log.read_text()
    assert "run the same command again" in message
    assert "Traceback" not in message
    finish_and_compare(model, out, unbroken, monkeypatch)


def test_a_finished_catalog_is_left_as_it_is(model: Path, unbroken: Path) -> None:
    before = {name: (unbroken / name).stat().st_mtime_ns for name in FILES}
    assert main(["map", str(model), "--out", str(unbroken)]) == 0
    assert {name: (unbroken / name).stat().st_mtime_ns for name in FILES} == before


def test_a_kill_between_the_joined_tables(
    model: Path, left: Path, unbroken: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One table has its name, the other not yet: both are joined anew from the shards."""
    (left / "maps.parquet").write_bytes((unbroken / "maps.parquet").read_bytes())
    finish_and_compare(model, left, unbroken, monkeypatch)


class Counted(InMemory):
    """A model in memory that counts how often a tensor is read, and stops a run at one of them."""

    def __init__(self, module: Any) -> None:
        super().__init__(module.state_dict(), module.config.to_dict(), "counted")
        self.reads: Counter[str] = Counter()
        self.stop_at: tuple[str, int] | None = None

    def read(self, name: str) -> Tensor:
        self.reads[name] += 1
        if self.stop_at == (name, self.reads[name]):
            raise KeyboardInterrupt
        return super().read(name)


@pytest.mark.parametrize(
    ("n_heads", "n_layers", "certain"),
    [(4, 24, {0, 8}), (32, 6, {0, 1, 2})],
    ids=["layers-in-groups", "layers-alone"],
)
def test_no_finished_layer_is_computed_again(
    n_heads: int, n_layers: int, certain: set[int], tmp_path: Path
) -> None:
    heads = {"num_attention_heads": n_heads, "num_key_value_heads": 4, "head_dim": 8}
    source = Counted(tiny.llama(num_hidden_layers=n_layers, hidden_size=64, **heads))
    values = [f"model.layers.{n}.self_attn.v_proj.weight" for n in range(n_layers)]
    source.stop_at = (values[n_layers // 2], 2)  # once to check it, once to map it
    with pytest.raises(KeyboardInterrupt):
        map_model(source, tmp_path / "catalog", tokenizer=tiny.tokenizer())
    finished = {
        layer
        for path in (tmp_path / "catalog/building/signatures").iterdir()
        for layer in pq.read_table(path)["layer"].to_pylist()
    }
    assert certain <= finished <= set(range(n_layers // 2))
    source.reads.clear()
    source.stop_at = None
    catalog = map_model(source, tmp_path / "catalog", tokenizer=tiny.tokenizer())
    assert {n for n, name in enumerate(values) if source.reads[name] == 1} == finished
    whole = map_model(source, tmp_path / "whole", tokenizer=tiny.tokenizer())
    for name in FILES:
        assert (catalog.folder / name).read_bytes() == (whole.folder / name).read_bytes()


def test_an_interrupted_catalog_is_not_read(killed: Path) -> None:
    with pytest.raises(CatalogMissing, match="not finished"):
        open_catalog(killed)
