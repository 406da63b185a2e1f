"""A made-up catalog of a 70B model's count: 80 layers of 64 heads over 128,256 tokens, hostile ones
among them; relation scores, descriptions of all heads by two, judgments of 300 heads by three.

python -m tests.large_catalog FOLDER
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from sqlalchemy import insert

from annotator.catalog.descriptions import LEDGER, read_descriptions
from annotator.catalog.manifest import Manifest
from annotator.catalog.read import open_catalog
from annotator.catalog.relations_manifest import RelationRun
from annotator.catalog.relations_tables import CURVES, RELATION_TABLES, SCORES, with_q
from annotator.catalog.schema import MAPS_SCHEMA, SIGNATURES_SCHEMA, to_heads, to_summaries
from annotator.catalog.table_files import write_table
from annotator.describe.outcome import (
    Answer,
    Described,
    Malformed,
    Outcome,
    Refused,
    Truncated,
    Unclear,
    fields_of,
)
from annotator.describe.request import Request
from annotator.describe.rule_baseline import Rules
from annotator.judge.items import JUDGED_STATUSES
from annotator.ledger.judgments import Judgments
from annotator.ledger.ledger import Ledger
from annotator.ledger.tables import ATTEMPTS, DESCRIBERS, HEADS, OUTCOMES, REQUESTS
from annotator.records import HeadId, Judgment, RelationPairs, Signatures
from annotator.tokens.relation_files import load_relations
from tests.judge.made import items_of

N_LAYERS, N_HEADS, VOCAB = 80, 64, 128_256
SOURCES, TARGETS, K_MAX, TOPICS = 45, 5, 25, 400
FAKE = "openai:made-up-model"
RATERS = ("ana", "ben", "chi")
AT = 1_750_000_000.0  # when it was all said

HOSTILE = (
    *("<script>alert(1)</script>", "</script>", "<!--", "]]>", "<img␣src=x␣onerror=alert(1)>"),
    *("&lt;b&gt;", "\"'`", '=HYPERLINK("x")', "+1", "-1", "@SUM(A1)", "|", "\\n", "\\u2028"),
    *("\\xe2", "\\\\", "${7*7}", "{{7*7}}", "__proto__", "constructor", "toString", "null", "NaN"),
    *(
        "**bold**",
        "[x](javascript:alert(1))",
        "#",
        ",",
        ";",
        "'",
        "%s",
        "אבג",
        "ﷺ",
        "e\u0301",
        "👩🏽",
    ),
    *("␣" * 81, "a" * 120, "⟦<|eot_id|>⟧", "⟦#128255⟧", "\\u202e", "?a=b&c", "../..", "0"),
)
SAID = ("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "=1+1\n\u202e\x00{{7*7}}")


def texts(vocab: int = VOCAB) -> list[str]:
    """As many shown tokens, no two alike, hostile ones first."""
    parts = [c + v for c, v in product("bcdfghjklmnprstvwz", "aeiou")]
    words = (f"{space}{a}{b}{c}" for a, b, c in product(parts, repeat=3) for space in ("␣", ""))
    step = 5  # so that they do not all begin alike
    made = (word for number, word in enumerate(words) if number % step == 0)
    return [*HOSTILE, *(next(made) for _ in range(vocab - len(HOSTILE)))]


def mapped(folder: Path, n_layers: int = N_LAYERS, n_heads: int = N_HEADS) -> None:
    """A catalog with its maps and signatures."""
    count, kv_heads = n_layers * n_heads, max(1, n_heads // 8)
    dims = {"vocab": VOCAB, "d_model": 128 * n_heads, "d_head": 128, "d_mlp": 448 * n_heads}
    dims |= {"n_layers": n_layers, "n_heads": n_heads, "n_kv_heads": kv_heads}
    digests = {"weight_digest": "0123456789abcdef" * 4, "tokenizer_digest": "f" * 64}
    model = {"id": "made-up/Large-70B", "revision": "0" * 40, "format": "safetensors"}
    settings = {"sources": SOURCES, "targets": TARGETS, "suppress": False, "vocabulary": "all"}
    settings |= {"source_form": "mlp-after-layer-0", "dtype": "bfloat16", "device": "cpu"}
    versions = {"annotator": "0.1.0", "torch": "2.13.0"}
    folder.mkdir(parents=True, exist_ok=True)
    Manifest({**model, "family": "llama", **digests}, dims, settings, versions).write(folder)
    at = _heads(n_layers, n_heads)
    random = np.random.default_rng(0)
    values = random.beta(1, 4, (len(Signatures.names()), count)).astype("f4")
    values[-1] *= 20
    numbers = dict(zip(Signatures.names(), values, strict=True))
    columns = {**at, "kv_head": at["head"] // (n_heads // kv_heads), **numbers}
    write_table(folder / "signatures.parquet", pa.table(columns).cast(SIGNATURES_SCHEMA))
    write_table(folder / "maps.parquet", _maps(random, at, values[0]))


def _heads(n_layers: int, n_heads: int) -> dict[str, np.ndarray]:
    layer, head = np.divmod(np.arange(n_layers * n_heads), n_heads)
    return {"layer": layer.astype("i2"), "head": head.astype("i2")}


def _maps(random: np.random.Generator, at: Mapping[str, np.ndarray], copy: np.ndarray) -> pa.Table:
    """Heads of one topic share sources and targets; the rest is drawn from all tokens."""
    count, shown = len(at["layer"]), pa.array(texts())
    shape = (count, SOURCES, TARGETS)
    topic = random.integers(TOPICS, size=(count, 1))
    # Even ids by topic, odd ones of the head's own; steps differ, so that no source comes twice.
    step = np.argsort(random.random((count, 120)), axis=1)[:, :SOURCES] * 331
    own, half = random.integers(VOCAB, size=(count, 1)), VOCAB // 2
    of_topic = random.random((count, SOURCES)) < 0.6
    source = np.where(of_topic, (topic * 97 + step) % half * 2, (own + step) % half * 2 + 1)
    source[::40, 0] = random.integers(len(HOSTILE), size=len(source[::40]))
    target = (source[..., None] // 3 + 17 * np.arange(TARGETS) + 2 * topic[..., None]) % VOCAB
    target[::40, 1] = random.integers(len(HOSTILE) - TARGETS, size=(len(target[::40]), 1))
    target[::40, 1] += np.arange(TARGETS)
    copies = random.random((count, SOURCES)) < copy[:, None]
    target[..., 0] = np.where(copies, source, target[..., 0])
    sigma = np.sort(random.gamma(3, 2, (count, SOURCES)), axis=1)[:, ::-1].astype("f4")
    sigma[7, -1] = np.nan
    logit = np.sort(random.gamma(2, 1.5, shape), axis=2)[..., ::-1].astype("f4")
    wide = {**at, "source_rank": np.arange(SOURCES)[None, :], "source_id": source, "sigma": sigma}
    wide |= {"target_rank": np.arange(TARGETS)[None, None, :], "target_id": target, "logit": logit}
    columns: dict[str, Any] = {}
    for name, values in wide.items():
        axes = values.reshape(values.shape + (1,) * (3 - values.ndim))
        flat = np.broadcast_to(axes, shape).ravel()
        columns[name] = pa.array(flat, from_pandas=name == "sigma")
    for name in ("source", "target"):
        columns[name] = shown.take(columns[f"{name}_id"])
    columns["side"] = pa.array(["top"]).take(pa.array(np.zeros(count * SOURCES * TARGETS, "i4")))
    return pa.table(columns).select(MAPS_SCHEMA.names).cast(MAPS_SCHEMA)


def related(folder: Path) -> None:
    """Scores on the relations that come with annotator; the last of them is not valid."""
    dims = Manifest.read(folder).dims
    random = np.random.default_rng(1)
    pairs = [_pairs(random, one) for one in load_relations()]
    pairs[-1] = replace(pairs[-1], ids=pairs[-1].ids[:7], dropped={"the source is 2 tokens": 99})
    settings = {"draws": 20_000, "seed": 0, "k_max": K_MAX, "device": "cpu"}
    run = RelationRun(settings, {"annotator": "0.1.0", "torch": "2.13.0"}, tuple(pairs))
    at = _heads(dims["n_layers"], dims["n_heads"])
    count, n = len(at["layer"]), len(run.valid)
    sources = np.array([len(one.targets) for one in run.valid])
    k = np.array([one.k for one in run.valid])
    both = {name: _sparse(random, count, sources) for name in ("phi", "suppression")}
    group = dims["n_heads"] // dims["n_kv_heads"]
    names = pa.array([one.name for one in run.valid])
    columns: dict[str, Any] = {name: np.repeat(value, n) for name, value in at.items()}
    columns |= {"kv_head": columns["head"] // group, "k": np.tile(k, count)}
    columns |= {"sources": np.tile(sources, count), "relation": _tiled(names, count, 1)}
    for name, p in (("phi", "p"), ("suppression", "suppression_p")):
        score = both[name].ravel()
        chance = np.exp(-60 * score) * random.random(len(score))
        columns |= {name: score, p: np.where(score > 0, np.maximum(chance, 1 / 20_001), 1.0)}
    write_table(folder / f"{SCORES}.parquet", with_q(pa.table(columns)))
    curves: dict[str, Any] = {key: np.repeat(value, n * K_MAX) for key, value in at.items()}
    curves |= {"relation": _tiled(names, count, K_MAX)}
    curves["k"] = np.tile(np.arange(1, K_MAX + 1), count * n)
    rise = np.sqrt(np.arange(1, K_MAX + 1) / k[:, None])
    for name, score in both.items():
        at_k = np.minimum(1, score[..., None] * rise)
        curves[name] = (np.floor(at_k * sources[:, None] + 1e-9) / sources[:, None]).ravel()
    schema = RELATION_TABLES[CURVES]
    write_table(folder / f"{CURVES}.parquet", pa.table(curves).select(schema.names).cast(schema))
    run.write(folder)


def _pairs(random: np.random.Generator, relation: Any) -> RelationPairs:
    """Every pair counts; their ids mean nothing."""
    count = len(relation.pairs)
    ids = zip(
        random.choice(VOCAB, count, replace=False), random.integers(VOCAB, size=count), strict=True
    )
    k = 3 if relation.k == 1 else 25
    return RelationPairs(relation, k, tuple(sorted((int(s), int(t)) for s, t in ids)))


def _sparse(random: np.random.Generator, count: int, sources: np.ndarray) -> np.ndarray:
    """A head in twenty scores; few score high, and late layers more often."""
    late = np.linspace(0.3, 1.7, count)[:, None]
    scores = random.random((count, len(sources))) < 0.05 * late
    values = scores * np.minimum(1, random.gamma(0.6, 0.12, scores.shape))
    return np.floor(values * sources) / sources


def _tiled(names: pa.Array, times: int, each: int) -> pa.Array:
    return names.take(pa.array(np.tile(np.repeat(np.arange(len(names)), each), times)))


def described(folder: Path, llms: Sequence[str] = (FAKE, Rules.name)) -> None:
    """An answer on every head: by the rules, and by a language model that does not exist."""
    summaries = to_summaries(open_catalog(folder).table("signatures"))
    tables = (REQUESTS, DESCRIBERS, HEADS, ATTEMPTS, OUTCOMES)
    rows: dict[Any, list[dict[str, Any]]] = {table: [] for table in tables}
    random = np.random.default_rng(2)
    for describer, llm in enumerate(llms, start=1):
        rows[DESCRIBERS].append({"number": describer, "llm": llm, "template": "", "name": ""})
        for place, one in enumerate(summaries):
            number = int(random.integers(30)) if place % 50 == 3 else int(random.integers(30, 1000))
            faked = llm == FAKE
            request, outcome = _faked(one.head, number) if faked else _ruled(one.signatures)
            tokens = (900 + one.head.head, 60 + one.head.layer) if faked else (0, 0)
            _add(rows, one.head, describer, request, outcome, tokens)
    with Ledger(folder / LEDGER) as ledger, ledger.writing() as connection:
        for table, values in rows.items():
            connection.execute(insert(table), values)


def _add(
    rows: dict[Any, list[dict[str, Any]]], head: HeadId, describer: int, request: Request,
    outcome: Outcome, tokens: tuple[int, int],
) -> None:  # fmt: skip
    """The rows that asking would have left."""
    number = len(rows[ATTEMPTS]) + 1
    at, key = AT + number, request.key
    rows[REQUESTS].append({"key": key, "content": request.content(), "at": at})
    named = {"layer": head.layer, "head": head.head}
    rows[HEADS].append({**named, "describer": describer, "key": key})
    sent = {"id": number, "key": key, "number": 1, "parameters": {}, "owner": "made up:1::1"}
    rows[ATTEMPTS].append({**sent, "at": at})
    came = {"attempt": number, "kind": outcome.kind, "content": fields_of(outcome), "reply": ""}
    came["written_off"] = False
    spent = {"tokens_in": tokens[0], "tokens_out": tokens[1], "seconds": 1.5, "final": True}
    rows[OUTCOMES].append({**came, **spent, "at": at + 1.5})


def _ruled(signatures: Signatures) -> tuple[Request, Outcome]:
    request = Rules().request("", json.dumps(asdict(signatures)), "")
    return request, Rules().send(request).outcome


def _faked(head: HeadId, number: int) -> tuple[Request, Outcome]:
    """By a number below 1,000; the descriptions of those below 30 are hostile."""
    prompt = f"The mappings of {head} would stand here.\n" + "␣bace -> ␣mothu ␣zilo\n" * 60
    schema = Answer.model_json_schema()
    request = Request("openai", "", FAKE[7:], "You describe.", prompt, schema, "a" * 64)
    reasoning = f"Many sources name things of kind {number}, and their targets go with them. " * 4
    kind = ("semantic", "language", "general", "unnatural")[min(3, number % 7)]
    match number:
        case n if n < 30:
            return request, Described(reasoning + SAID[n % 3], SAID[n % 3], SAID[n % 2], kind)
        case n if n < 33:
            return request, Refused(SAID[n % 3])
        case n if n < 45:
            return request, Truncated(512)
        case n if n < 60:
            return request, Malformed("pattern: Field required")
        case n if n < 260:
            return request, Unclear("Nothing recurs.", "mixed tokens")
    inputs = f"words for things of kind {number % 97}"
    return request, Described(reasoning, inputs, f"where things of kind {number % 41} are", kind)


def judged(folder: Path, heads: int = 300) -> None:
    """What three raters answer on some of the made-up model's descriptions."""
    catalog = open_catalog(folder)
    said = [one for one in read_descriptions(catalog.ledger, FAKE) if one.status in JUDGED_STATUSES]
    said = said[:: max(1, len(said) // heads)][:heads]
    maps, signatures = catalog.table("maps"), catalog.table("signatures")
    rows, n_heads = SOURCES * TARGETS, catalog.manifest.dims["n_heads"]
    chosen = [one.head.layer * n_heads + one.head.head for one in said]
    maps = pa.concat_tables([maps.slice(one * rows, rows) for one in chosen])
    records = {one.head: one for one in to_heads(maps, signatures.take(chosen))}
    items = items_of(said, records, catalog.manifest.model["weight_digest"])
    with Ledger(folder / LEDGER) as ledger:
        Judgments(ledger).add_items(items)
        Judgments(ledger).record((one, {}) for one in _answers([item.id for item in items]))


def _answers(items: Sequence[str]) -> Iterator[Judgment]:
    random = np.random.default_rng(3)
    for n, (rater, item) in enumerate(product(RATERS, items)):
        seen, precise, kind = random.random(3)
        pattern = None if seen < 0.02 else bool(seen < 0.7)
        precision = ("accurate", "scope", "partial", "poor")[int(precise**2 * 4)]
        category = ("semantic", "language", "general", "unnatural")[int(kind * 4)]
        asked = (precision, category) if pattern else (None, None)
        comment = SAID[n % 3] if n % 50 == 0 else ""
        seconds = None if n % 70 == 0 else 5 + 60 * precise
        yield Judgment(item, rater, str(n), pattern, *asked, comment, seconds, AT + 9e5 + n)


def make(folder: Path, n_layers: int = N_LAYERS, n_heads: int = N_HEADS) -> None:
    """All of it."""
    sized = partial(mapped, n_layers=n_layers, n_heads=n_heads)
    parts = {"mapped": sized, "related": related, "described": described, "judged": judged}
    for name, part in parts.items():
        started = time.perf_counter()
        part(folder)
        print(f"{name:10}{time.perf_counter() - started:6.1f} s", flush=True)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
