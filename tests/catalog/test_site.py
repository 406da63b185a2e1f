"""The page's data says what the catalog says, and nothing else."""

from __future__ import annotations

import json
import re
import shutil
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

import annotator
from annotator.catalog.descriptions import LEDGER
from annotator.catalog.read import open_catalog
from annotator.catalog.relations_manifest import read_relations_run
from annotator.errors import CatalogForeign, CatalogUnwritable
from annotator.ledger.judgments import Judgments
from annotator.ledger.ledger import Ledger
from annotator.pipeline.describe import describe_heads
from annotator.records import HeadId
from annotator.views.site import write
from tests.commands import files_of
from tests.judge.made import items_of, judgment

CALL = re.compile(r'annotatorData\("([^"]+)",(.*)\);\n', re.DOTALL)
GIVEN = {  # of each head's item: what raters answer
    "L0H0": (("ada", True, "accurate"), ("ben", True, "partial"), ("cyd", None, None)),
    "L1H2": (("ada", True, "scope"), ("ben", False, None)),
}


@pytest.fixture(scope="module")
def study(scored: annotator.Catalog, tmp_path_factory: pytest.TempPathFactory) -> annotator.Catalog:
    """A catalog with relations, descriptions by the rules of all heads, and judgments of two."""
    folder = tmp_path_factory.mktemp("study") / "catalog"
    shutil.copytree(scored.folder, folder)
    describe_heads(folder, "rules", progress=False)
    catalog = open_catalog(folder)
    said = [one for one in catalog.descriptions() if str(one.head) in GIVEN]
    items = items_of(said, {one.head: catalog.head(one.head) for one in said})
    with Ledger(folder / LEDGER) as ledger:
        judgments = Judgments(ledger)
        judgments.add_items(items)
        judgments.record(
            (judgment(item, rater, pattern, precision=precision), {})
            for item in items
            for rater, pattern, precision in GIVEN[str(item.head)]
        )
    return catalog


@pytest.fixture(scope="module")
def site(study: annotator.Catalog, tmp_path_factory: pytest.TempPathFactory) -> Path:
    page, *_ = annotator.export(study, "site", tmp_path_factory.mktemp("page") / "site")
    return page.parent


def data(site: Path, name: str) -> Any:
    found = CALL.fullmatch((site / "data" / f"{name}.js").read_text("ascii"))
    assert found is not None
    assert found[1] == name
    return json.loads(found[2])


def near(value: float | None) -> Any:
    return pytest.approx(value, rel=1e-3, abs=1e-12)


def test_every_head_has_its_mappings(site: Path, study: annotator.Catalog) -> None:
    for layer in range(study.manifest.dims["n_layers"]):
        written = data(site, f"layer-{layer}")
        assert len(written["heads"]) == study.manifest.dims["n_heads"]
        names = list(zip(written["token_ids"], written["tokens"], strict=True))
        for head, one in enumerate(written["heads"]):
            there = study.head(HeadId(layer, head))
            assert one["kv_head"] == there.kv_head
            assert len(one["mappings"]) == len(there.mappings)
            for (source, sigma, targets), mapping in zip(
                one["mappings"], there.mappings, strict=True
            ):
                assert names[source] == (mapping.source.id, mapping.source.text)
                assert sigma == near(mapping.sigma)
                assert [names[at] for at in targets[::2]] == [
                    (target.token.id, target.token.text) for target in mapping.targets
                ]
                assert targets[1::2] == [near(target.logit) for target in mapping.targets]


def test_suppressed_targets_are_there_where_they_were_mapped(
    tiny_folder: Path, tmp_path: Path
) -> None:
    settings = annotator.MapSettings(suppress=True)
    catalog = annotator.map_model(tiny_folder, tmp_path / "catalog", settings)
    page, *_ = annotator.export(catalog, "site")
    assert page == tmp_path / "catalog" / "site" / "index.html"
    written = data(page.parent, "layer-2")
    for mapping, row in zip(
        catalog.head("L2H1").mappings, written["heads"][1]["mappings"], strict=True
    ):
        assert [written["tokens"][at] for at in row[3][::2]] == [
            target.token.text for target in mapping.suppressed
        ]
    overview = data(page.parent, "overview")
    assert (overview["relations"], overview["best"], overview["pages"]) == ([], None, [])
    assert (overview["describers"], overview["judged"]) == ([], [])
    assert not (page.parent / "data" / "results.js").exists()


def test_columns_are_by_layer_and_head(site: Path, study: annotator.Catalog) -> None:
    overview = data(site, "overview")
    for summary, copy, telling in zip(
        study.heads(),
        overview["signatures"]["copy"],
        overview["signatures"]["telling"],
        strict=True,
    ):
        assert copy == near(summary.signatures.copy)
        assert telling == near(summary.signatures.telling)


def test_relation_scores_in_the_columns_and_of_each_head(
    site: Path, study: annotator.Catalog
) -> None:
    overview = data(site, "overview")
    names = [one["name"] for one in overview["relations"]]
    assert names == [one.name for one in study.relation_pairs() if one.valid]
    assert [one["name"] for one in overview["not_valid"]] == ["sparse"]
    run = read_relations_run(study.folder)
    assert run is not None
    assert overview["draws"] == run.settings["draws"]
    n_heads = study.manifest.dims["n_heads"]
    columns = [data(site, f"relation-{at}") for at in range(len(names))]
    layers = [data(site, f"layer-{n}") for n in range(study.manifest.dims["n_layers"])]
    best: defaultdict[int, list[tuple[float, int]]] = defaultdict(list)
    for score in study.relation_scores():
        relation = names.index(score.relation)
        at = score.head.layer * n_heads + score.head.head
        column = columns[relation]
        assert column["phi"][at] == near(score.phi)
        assert column["suppression_q"][at] == near(score.suppression_q)
        own = layers[score.head.layer]["heads"][score.head.head]["relations"]
        rows = [row for row in own if row[0] == relation]
        if score.phi or score.suppression:
            six = (score.phi, score.p, score.q)
            six += (score.suppression, score.suppression_p, score.suppression_q)
            assert rows == [[relation, *map(near, six)]]
        else:
            assert rows == []
        best[at].append((score.phi, -relation))
    for at, scores in best.items():
        phi, relation = max(scores)
        assert overview["best"]["phi"][at] == near(phi)
        assert overview["best"]["relation"][at] == (-relation if phi else -1)


def test_descriptions_and_judgments_of_each_head(site: Path, study: annotator.Catalog) -> None:
    overview, n_heads = data(site, "overview"), study.manifest.dims["n_heads"]
    [describer] = overview["describers"]
    assert (describer["llm"], describer["baseline"]) == ("rules", True)
    assert "no language model" in describer["by"]
    texts = data(site, "describer-0")
    for said in study.descriptions():
        at = said.head.layer * n_heads + said.head.head
        assert overview["statuses"][describer["status"][at]] == said.status
        category = describer["category"][at]
        assert (overview["categories"][category] if category >= 0 else None) == said.category
        assert (texts["inputs"][at], texts["pattern"][at]) == (said.inputs, said.pattern)
        [one] = data(site, f"layer-{said.head.layer}")["heads"][said.head.head]["descriptions"]
        assert (one["reasoning"], one["key"]) == (said.reasoning, said.key)
    first = data(site, "layer-0")["heads"][0]["judgments"]
    assert [one["rater"] for one in first] == ["R1", "R2", "R3"]
    assert [one["precision"] for one in first] == ["accurate", "partial", None]
    statuses = {one.status for one in study.descriptions("L0H0")}
    assert {one["status"] for one in first} == statuses


def test_plausibility_is_the_share_that_accepts_of_those_who_see_a_pattern(
    site: Path, study: annotator.Catalog
) -> None:
    overview = data(site, "overview")
    statuses = {str(one.head): one.status for one in study.descriptions()}
    accepted = {
        head: [precision in ("accurate", "scope") for _, pattern, precision in answers if pattern]
        for head, answers in GIVEN.items()
        if statuses[head] == "described"
    }
    assert accepted, "one of the heads is described"
    [judged] = overview["judged"]
    n_heads = study.manifest.dims["n_heads"]
    for at, (share, answers) in enumerate(zip(judged["accepted"], judged["answers"], strict=True)):
        own = accepted.get(f"L{at // n_heads}H{at % n_heads}", [])
        assert answers == len(own)
        assert share == (near(sum(own) / len(own)) if own else None)


def test_the_index_finds_what_a_reading_of_every_head_finds(
    site: Path, study: annotator.Catalog
) -> None:
    index, n_heads = data(site, "search"), study.manifest.dims["n_heads"]
    sources: defaultdict[str, set[int]] = defaultdict(set)
    targets: defaultdict[str, set[int]] = defaultdict(set)
    for head in study:
        at = head.head.layer * n_heads + head.head.head
        for mapping in head.mappings:
            sources[mapping.source.text].add(at)
            for target in mapping.targets:
                targets[target.token.text].add(at)
    assert sorted(index["tokens"]) == sorted({*sources, *targets})
    for token, with_source, with_target in zip(
        index["tokens"], index["sources"], index["targets"], strict=True
    ):
        assert with_source == sorted(sources[token])
        assert with_target == sorted(targets[token])


def test_the_study_page_has_the_report_under_pseudonyms(site: Path) -> None:
    [study] = data(site, "results")["study"]
    assert study["describer"] == 0
    assert set(study["raters"]) == {"R1", "R2", "R3"}
    assert study["raters"]["R3"]["answered"] == 0
    assert study["total"]["answered"] == 4
    assert study["agreement"]["pattern"]["of"] == 2


def test_similar_heads_are_of_other_groups(site: Path, study: annotator.Catalog) -> None:
    dims = study.manifest.dims
    group = dims["n_heads"] // dims["n_kv_heads"]
    for layer in range(dims["n_layers"]):
        for head, one in enumerate(data(site, f"layer-{layer}")["heads"]):
            own = (layer * dims["n_heads"] + head) // group
            assert all(other // group != own for other, _ in one["similar"])
            cosines = [cosine for _, cosine in one["similar"]]
            assert cosines == sorted(cosines, reverse=True)


def test_no_name_of_a_rater_and_no_path_is_in_any_byte(site: Path) -> None:
    for name, content in files_of(site).items():
        if name.startswith("data/"):
            assert not re.search(rb'"(ada|ben|cyd)"|/tmp/|\.gguf"', content), name


def test_the_same_catalog_gives_the_same_bytes(
    site: Path, study: annotator.Catalog, tmp_path: Path
) -> None:
    annotator.export(study, "site", tmp_path / "again")
    assert files_of(tmp_path / "again") == files_of(site)


def test_a_page_of_before_is_replaced_and_other_files_stay(
    study: annotator.Catalog, tmp_path: Path
) -> None:
    folder = tmp_path / "site"
    annotator.export(study, "site", folder)
    (folder / "data" / "layer-99.js").write_text("of a larger catalog")
    (folder / "app" / "said.js").write_text("of an older annotator")
    for name in ("CNAME", "data/mine.js"):
        (folder / name).write_text("heads.example.org")
    annotator.export(study, "site", folder)
    for name in ("data/layer-99.js", "app/said.js"):
        assert not (folder / name).exists()
    for name in ("CNAME", "data/mine.js"):
        assert (folder / name).read_text() == "heads.example.org"


def test_a_page_of_somebody_else_is_refused(study: annotator.Catalog, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("my thesis")
    with pytest.raises(CatalogForeign, match=r"index\.html"):
        annotator.export(study, "site", tmp_path)
    assert files_of(tmp_path) == {"index.html": b"my thesis"}


@pytest.mark.parametrize("fault", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_a_page_that_is_not_finished_leaves_the_one_before(
    study: annotator.Catalog,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: Any,
) -> None:
    folder = tmp_path / "site"
    annotator.export(study, "site", folder)
    before = files_of(folder)

    def full(*_: object) -> None:
        raise fault

    monkeypatch.setattr(write, "token_index", full)
    expected = KeyboardInterrupt if fault is KeyboardInterrupt else CatalogUnwritable
    with pytest.raises(expected):
        annotator.export(study, "site", folder)
    assert files_of(folder) == before
    assert [one.name for one in tmp_path.iterdir()] == ["site"]
