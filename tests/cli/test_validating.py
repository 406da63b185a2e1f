"""`annotator validate` from end to end: what is printed and written is what was measured."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from scipy.stats import pearsonr

import annotator
from annotator.catalog.experiment_shards import VALIDATION_FOLDER
from annotator.catalog.read import open_catalog
from annotator.cli import main
from tests import tiny
from tests.answering import saying_words
from tests.commands import error_of, text_of
from tests.related import WORDS, made, written

Capture = pytest.CaptureFixture[str]
KINDS = {".csv", ".md", ".tex", ".png", ".svg"}


def phi(catalog: Path, relation: str) -> list[float]:
    scores = open_catalog(catalog).relation_scores()
    return [score.phi for score in scores if score.relation == relation]


def shard(catalog: Path, experiment: str, relation: str) -> pd.DataFrame:
    return pq.read_table(
        catalog / VALIDATION_FOLDER / experiment / f"{relation}.parquet"
    ).to_pandas()


def result(catalog: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(catalog / VALIDATION_FOLDER / f"{name}.csv")


def assert_written(text: str, folder: Path, *names: str) -> None:
    """All kinds of files of these names, each whole, and said to be written."""
    said = text.splitlines()[-1]
    assert said.startswith(f"Written to {folder}: ")
    assert not list(folder.glob("*.part"))
    for name in names:
        kinds = {path.suffix for path in folder.glob(f"{name}.*")}
        assert {".csv", ".md", ".tex"} <= kinds <= KINDS
        assert all(f"{name}{kind}" in said for kind in kinds)
    for path in folder.glob("*.png"):
        assert path.read_bytes().startswith(b"\x89PNG")
    assert all("</svg>" in path.read_text() for path in folder.glob("*.svg"))


def test_correlations_are_those_of_the_shards(
    answering: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = text_of(capsys, "validate", "correlate", answering, "--variants")
    assert all(len(line) <= 80 for line in text.splitlines()[:-1])
    rows = result(answering, "correlate").set_index("relation")
    assert list(rows.index) == ["also", "known", "silent", "unknown", "few"]
    for name in ("known", "silent"):
        own = shard(answering, "correlate", name)
        assert own["static"].tolist() == phi(answering, name) * 4
        for side in ("without", "with_context"):
            expected = pearsonr(own["static"], own[side]).statistic
            assert rows.loc[name, side] == pytest.approx(expected, abs=1e-12)
            assert rows.loc[name, f"{side}_low"] < expected < rows.loc[name, f"{side}_high"]
        line = next(line for line in text.splitlines() if line.startswith(name))
        assert line.split()[:4] == [name, "1", "14", f"{rows.loc[name, 'without']:.3f}"]
    assert "few: not valid here: 14 pairs count, 30 are needed." in text
    assert re.search(r"^tiny-llama, the paper's relations +1 ", text, re.MULTILINE)
    variants = result(answering, "variants")
    assert set(variants["variant"]) == set(shard(answering, "variants", "known")["variant"])
    assert variants["variant"].nunique() == 4
    assert_written(
        text, answering / VALIDATION_FOLDER, "correlate", "correlate-medians", "variants"
    )
    assert (answering / VALIDATION_FOLDER / "correlate.svg").is_file()


def test_sources_of_several_tokens_are_counted_by_form(answering: Path, capsys: Capture) -> None:
    text = text_of(capsys, "validate", "multi-token", answering)
    rows = result(answering, "multi-token").set_index(["relation", "form"])
    natural = rows.loc[("silent", "natural")]
    assert natural["pairs"] == len(WORDS)
    own = shard(answering, "multi_token", "silent")
    own = own[own["form"] == "natural"]
    assert own["static"].tolist() == phi(answering, "silent")
    assert natural["without"] == pytest.approx(pearsonr(own["static"], own["without"]).statistic)
    assert "0 pairs with a source of several tokens; 10 are needed" in text.split("paper form")[0]
    assert_written(text, answering / VALIDATION_FOLDER, "multi-token", "multi-token-medians")
    assert (answering / VALIDATION_FOLDER / "multi-token-natural.svg").is_file()


def test_heads_are_silenced_and_what_is_not_known_is_named(
    answering: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "annotator.validate.ablation_curves.MOST_SHARED", 2
    )  # of twelve heads, all share
    monkeypatch.setattr("annotator.validate.ablation_curves.SIZES", ((300, 5),))
    text = text_of(capsys, "validate", "ablate", answering)
    rows = result(answering, "ablate").set_index("relation")
    for name, other in (("known", "also"), ("also", "known")):
        row, own = rows.loc[name], shard(answering, "ablate", name)
        assert (row["base"], row["prompts"], row["controls"]) == (1.0, 14, other)
        curve = own[own["kind"] == "own"]
        assert curve["step"].tolist() == list(range(6))
        best = sorted(zip(phi(answering, name), range(12), strict=True), reverse=True)[:5]
        assert curve["heads"].tolist() == ["", *(f"L{at // 4}H{at % 4}" for _, at in best)]
        drawn = own[own["kind"] == "random"]["heads"].str.split()
        assert [len(set(heads)) for heads in drawn] == [row["step"]] * 5
        assert not {head for heads in drawn for head in heads} & set(curve["heads"])
        control = own[own["kind"] == "control"]
        assert control["step"].tolist() == [0, row["step"]]
        assert control["correct"].tolist()[0] == 14
    assert "unknown: the model answers 0.0% of its prompts, fewer than 10%." in text
    assert "few: not valid here: 14 pairs count, 30 are needed." in text
    assert "silent" not in text
    assert_written(text, answering / VALIDATION_FOLDER, "ablate")
    assert (answering / VALIDATION_FOLDER / "ablate.svg").is_file()


@pytest.mark.usefixtures("no_figures")
def test_as_many_other_heads_are_drawn_or_none(answering: Path, capsys: Capture) -> None:
    out = answering / "validation"
    asked = ("--relation", "known", "--out", out)
    text = text_of(capsys, "validate", "ablate", answering, *asked)
    row = result(answering, "ablate").set_index("relation").loc["known"]
    assert (row["step"], row["draws"]) == (12, 0)
    assert "known: the model has fewer than 12 other heads" in text


@pytest.mark.usefixtures("no_figures")
def test_a_relation_without_a_prompt_is_named_where_it_is_asked_for(
    answering: Path, capsys: Capture, computed: list[str]
) -> None:
    text = text_of(capsys, "validate", "ablate", answering, "--relation", "silent")
    assert "silent: it has no prompt that asks for it." in text
    assert not computed


def test_models_are_compared_on_what_both_have(
    answering: Path, tmp_path: Path, capsys: Capture
) -> None:
    other = tiny.save(tmp_path / "another-llama", saying_words(seed=1))
    annotator.map_model(other, tmp_path / "other")
    given = written(tmp_path / "given", [made("silent", 40)])
    annotator.score_relations(tmp_path / "other", given, draws=50)
    out = tmp_path / "out"
    both = (answering, tmp_path / "other")
    assert main(["validate", "compare", *map(str, both), "--out", str(out)]) == 0
    printed = capsys.readouterr()
    assert "Not of the same pairs in all of the catalogs: silent." in printed.err
    assert printed.out.startswith("Relation heads, over 1 relations")
    assert_written(printed.out, out, *(f"compare{part}" for part in ("", "_groups", "_overlap")))
    rows = pd.read_csv(out / "compare_relations.csv")
    assert rows["model"].tolist() == ["tiny-llama", "another-llama"]
    assert rows["phi"].tolist() == [max(phi(at, "silent")) for at in both]
    assert not (tmp_path / "other" / VALIDATION_FOLDER).exists()
    message = error_of(capsys, "validate", "compare", answering, answering)
    assert "each of them once" in message
    message = error_of(capsys, "validate", "compare", *both, "--relation", "known")
    assert "no relation 'known'" in message
