"""Every command from end to end on a tiny model, through the command line."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
import transformers
from torch import Tensor

from annotator.cli import main
from tests import PATIENCE, tiny
from tests.commands import SCRIPT, mapped, run, text_of

Capture = pytest.CaptureFixture[str]
COMMANDS = (
    *("map", "quickstart", "show", "heads", "row", "find", "export", "describe", "prompts"),
    *("descriptions", "judge", "families", "check", "relations", "validate", "view", "ledger"),
)
HEAVY = ("torch", "transformers", "pandas", "pyarrow", "numpy", "pydantic", "huggingface_hub")
SOURCE, TARGET = 257, 261


@pytest.fixture(scope="module")
def catalog(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("catalogs") / "tiny"
    mapped(tiny_folder, out)
    return out


@pytest.fixture(scope="module")
def model() -> transformers.PreTrainedModel:
    """What the tiny folder was saved from."""
    return tiny.llama()


def rows_of(catalog: Path, layer: int, head: int, side: str = "top") -> list[tuple[str, list[str]]]:
    """A head's sources with their targets, straight from the Parquet file."""
    sources: dict[int, tuple[str, list[str]]] = {}
    for row in pq.read_table(catalog / "maps.parquet").to_pylist():
        if (row["layer"], row["head"], row["side"]) == (layer, head, side):
            source = sources.setdefault(row["source_rank"], (row["source"], []))
            source[1].append(row["target"])
    return [sources[rank] for rank in sorted(sources)]


def head_row(model: transformers.PreTrainedModel, layer: int, head: int) -> Tensor:
    """Row SOURCE of a head's map: X W_V W_O W_U, written out from the definition."""
    decoder, config = model.model, model.config
    with torch.no_grad():
        embedded = decoder.embed_tokens.weight[SOURCE : SOURCE + 1]
        first = decoder.layers[0]
        x = embedded if layer == 0 else first.mlp(first.post_attention_layernorm(embedded))
        attention = decoder.layers[layer].self_attn
        d = config.head_dim
        kv = head // (config.num_attention_heads // config.num_key_value_heads)
        value = x @ attention.v_proj.weight[kv * d : (kv + 1) * d].T
        written = value @ attention.o_proj.weight[:, head * d : (head + 1) * d].T
        return (written @ model.lm_head.weight.T)[0]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_every_command_helps(command: str, flag: str, capsys: Capture) -> None:
    text = text_of(capsys, command, flag)
    assert text.startswith(f"Usage: annotator {command}")
    assert "--help" in text


def test_the_help_names_every_command(capsys: Capture) -> None:
    text = text_of(capsys, "--help")
    listed = re.findall(r"^  (\w+)  ", text.split("Commands:")[1], re.MULTILINE)
    assert sorted(listed) == sorted(COMMANDS)
    assert text_of(capsys, "--version").startswith("annotator, version ")


def loaded_by(*args: object) -> set[str]:
    """The heavy packages that a command has imported by its end, in a process of its own."""
    code = (
        "import sys; from annotator.cli import main; code = main(sys.argv[1:]);"
        f"print(*[m for m in {HEAVY} if m in sys.modules], file=sys.stderr); sys.exit(code)"
    )
    command = [sys.executable, "-c", code, *map(str, args)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE)
    return set(done.stderr.split())


def test_help_imports_nothing_heavy() -> None:
    assert loaded_by("--help") == set()
    assert loaded_by("map", "--help") == set()


def test_reading_a_catalog_needs_no_model(
    tiny_folder: Path, tmp_path: Path, capsys: Capture
) -> None:
    model = shutil.copytree(tiny_folder, tmp_path / "model")
    mapped(model, tmp_path / "catalog")
    shutil.rmtree(model)
    for args in (("show", "L2H1"), ("heads",), ("heads", "--telling"), ("export", "--to", "csv")):
        command, *rest = args
        assert text_of(capsys, command, tmp_path / "catalog", *rest)
    read = {"torch", "transformers", "huggingface_hub"}
    assert not read & loaded_by("show", tmp_path / "catalog", "L2H1")
    assert not read & loaded_by("heads", tmp_path / "catalog", "--telling")


def test_map_says_what_it_made(tiny_folder: Path, tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "new" / "catalog"
    assert text_of(capsys, "map", tiny_folder, "--out", out) == f"12 heads of tiny-llama in {out}\n"
    names = {path.name for path in out.iterdir()}
    assert names - {".lock", ".model"} == {"catalog.json", "maps.parquet", "signatures.parquet"}


def test_the_installed_script_maps_the_same(
    tiny_folder: Path, catalog: Path, tmp_path: Path
) -> None:
    done = run("map", tiny_folder, "--out", tmp_path / "out")
    assert done.returncode == 0
    assert done.stderr == ""
    assert done.stdout == f"12 heads of tiny-llama in {tmp_path / 'out'}\n"
    again = (tmp_path / "out" / "maps.parquet").read_bytes()
    assert again == (catalog / "maps.parquet").read_bytes()


def test_show_prints_the_heads_rows(
    catalog: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    text = text_of(capsys, "show", catalog, "L1H2", "--rows", "45")
    assert text.startswith("L1H2 of tiny-llama  (KV head 1, shared by L1H2 and L1H3)\n")
    printed = re.findall(r"^ *(\d+)  ?(\S+) +(\S+)  ?(.*?) *$", text, re.MULTILINE)
    expected = rows_of(catalog, 1, 2)
    assert len(expected) == 45
    assert [(source, targets.split("  ")) for _, source, _, targets in printed] == expected
    assert [int(rank) for rank, *_ in printed] == list(range(1, 46))
    assert len(text_of(capsys, "show", catalog, "l1h2", "--rows", "3").splitlines()) == 8


def test_heads_are_listed_and_sorted(catalog: Path, capsys: Capture) -> None:
    table = pq.read_table(catalog / "signatures.parquet").to_pylist()
    names = [f"L{row['layer']}H{row['head']}" for row in table]
    listed = re.findall(r"^(L\d+H\d+) ", text_of(capsys, "heads", catalog), re.MULTILINE)
    assert listed == names == [f"L{layer}H{head}" for layer in range(3) for head in range(4)]
    text = text_of(capsys, "heads", catalog, "--sort", "hub", "--top", "5")
    best = sorted(table, key=lambda row: (-row["hub"], row["layer"], row["head"]))[:5]
    listed = re.findall(r"^(L\d+H\d+) ", text, re.MULTILINE)
    assert listed == [f"L{row['layer']}H{row['head']}" for row in best]


def test_the_most_telling_heads_come_with_their_rows(catalog: Path, capsys: Capture) -> None:
    table = pq.read_table(catalog / "signatures.parquet").to_pylist()

    def telling(row: dict[str, float]) -> float:
        return row["strength"] * (1 - row["hub"]) * (1 - row["fragment"])

    best: dict[tuple[int, int], dict[str, int]] = {}
    for row in sorted(table, key=telling, reverse=True):
        best.setdefault((row["layer"], row["kv_head"]), row)
    text = text_of(capsys, "heads", catalog, "--telling", "--top", "4")
    listed = re.findall(r"^(L\d+H\d+) ", text, re.MULTILINE)
    assert listed == [f"L{row['layer']}H{row['head']}" for row in list(best.values())[:4]]
    top = next(iter(best.values()))
    source, targets = rows_of(catalog, top["layer"], top["head"])[0]
    first_row = next(line for line in text.splitlines() if line.startswith(listed[0]))
    assert first_row.split() == [listed[0], source, *targets]


def shown(id: int) -> str:
    """How a token of the tiny model is shown: by the table in annotator/tokens/display.py."""
    made = tiny.tokenizer()
    piece = made.id_to_token(id)
    if piece is None:
        return f"⟦#{id}⟧"
    if id in made.get_added_tokens_decoder():
        return f"⟦{piece}⟧" if made.get_added_tokens_decoder()[id].special else piece
    data = bytes(tiny.byte_level_alphabet()[letter] for letter in piece)
    if len(data) > 1:
        return data.decode().replace(" ", "␣")
    named = {32: "␣", 10: "\\n", 9: "\\t", 13: "\\r", 92: "\\\\"}
    hidden = f"\\u{data[0]:04x}" if data[0] < 128 else f"\\x{data[0]:02x}"
    return named.get(data[0], chr(data[0]) if 32 < data[0] < 127 else hidden)


@pytest.mark.parametrize(("layer", "head"), [(0, 3), (1, 2), (2, 0)])
def test_row_is_the_row_of_the_dense_map(
    tiny_folder: Path, model: transformers.PreTrainedModel, layer: int, head: int, capsys: Capture
) -> None:
    text = text_of(capsys, "row", tiny_folder, f"L{layer}H{head}", f"#{SOURCE}", "-k", "6")
    ids = text_of(capsys, "row", tiny_folder, f"L{layer}H{head}", " the", "-k", "6")
    logits = head_row(model, layer, head)
    printed = [line.split() for line in text.splitlines()[-6:]]
    for column, ids_in_order in ((0, logits.argsort(descending=True)), (2, logits.argsort())):
        for cells, id in zip(printed, ids_in_order[:6].tolist(), strict=True):
            assert float(cells[column + 1]) == pytest.approx(float(logits[id]), abs=0.006)
            assert cells[column] == shown(id)
    assert text.splitlines()[0].startswith(f"L{layer}H{head} on ")
    assert ids.splitlines()[0] == f"L{layer}H{head} on ␣the"


def test_find_gives_the_ranks_of_the_dense_maps(
    tiny_folder: Path, model: transformers.PreTrainedModel, capsys: Capture
) -> None:
    text = text_of(capsys, "find", tiny_folder, f"#{SOURCE}", f"#{TARGET}")
    printed = re.findall(r"^(L\d+H\d+) +(\d+) +(\S+) *$", text, re.MULTILINE)
    expected: dict[str, int] = {}
    for layer in range(3):
        for head in range(4):
            logits = head_row(model, layer, head)
            expected[f"L{layer}H{head}"] = int((logits > logits[TARGET]).sum())
    assert {name: int(rank) for name, rank, _ in printed} == expected
    ranks = [int(rank) for _, rank, _ in printed]
    assert ranks == sorted(ranks)
    short = text_of(capsys, "find", tiny_folder, f"#{SOURCE}", f"#{TARGET}", "--top", "2")
    assert re.findall(r"^L\d+H\d+", short, re.MULTILINE) == [name for name, *_ in printed[:2]]


def test_a_reader_that_hangs_up_is_told_nothing(catalog: Path) -> None:
    with subprocess.Popen(
        [SCRIPT, "show", catalog, "L0H0", "--rows", "45"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""


def test_the_same_command_again_changes_nothing(tiny_folder: Path, catalog: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in catalog.iterdir() if path.suffix}
    assert main(["map", str(tiny_folder), "--out", str(catalog)]) == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before
