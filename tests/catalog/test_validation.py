"""Shards of the experiments: whole or absent, of these settings or none, broken ones named."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from annotator.catalog.validation import (
    EXPERIMENTS,
    Shard,
    digest_of,
    joined,
    read_shard,
    score_rows,
    write_shard,
)
from annotator.errors import CatalogBroken, SettingInvalid

SETTINGS = {"k": 10, "pairs": [[1, 2], [3, 4]], "dtype": "float32"}


def shard(relation: str = "copying", seed: int = 0) -> Shard:
    generator = torch.Generator().manual_seed(seed)
    names = ("static", "without", "with_context")
    tables = [
        score_rows(
            "correlate",
            {name: torch.rand(3, 2, generator=generator, dtype=torch.float64) for name in names},
            relation=relation,
            template=template,
        )
        for template in range(4)
    ]
    return Shard(pa.concat_tables(tables), {"k": 10, "dropped": {"a reason": 3}, "reason": None})


def test_a_shard_comes_back_as_it_was(tmp_path: Path) -> None:
    written = shard()
    write_shard(tmp_path, "correlate", "copying", written, SETTINGS)
    found = read_shard(tmp_path, "correlate", "copying", SETTINGS)
    assert found is not None
    assert found.table.equals(written.table)
    assert found.table.schema.equals(EXPERIMENTS["correlate"], check_metadata=True)
    assert found.facts == written.facts
    folder = tmp_path / "validation" / "correlate"
    assert [path.name for path in folder.iterdir()] == ["copying.parquet"]


def test_rows_are_by_layer_and_head() -> None:
    static = torch.arange(6, dtype=torch.float64).view(3, 2)
    rows = score_rows("variants", {"static": static}, relation="a", variant="embedding")
    assert rows.schema.equals(EXPERIMENTS["variants"])
    assert rows.to_pylist()[3] == {
        **{"relation": "a", "variant": "embedding", "layer": 1, "head": 1, "static": 3.0}
    }


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_a_shard_may_have_no_rows(tmp_path: Path, experiment: str) -> None:
    empty = Shard(EXPERIMENTS[experiment].empty_table(), {"reason": "12 pairs"})
    write_shard(tmp_path, experiment, "a", empty, {})
    found = read_shard(tmp_path, experiment, "a", {})
    assert found is not None
    assert (found.table.num_rows, found.facts) == (0, {"reason": "12 pairs"})


@pytest.mark.parametrize(
    "other", [{**SETTINGS, "k": 1}, {"k": 10}, {**SETTINGS, "pairs": [[1, 2]]}, {}]
)
def test_a_shard_of_other_settings_is_none(tmp_path: Path, other: dict[str, object]) -> None:
    write_shard(tmp_path, "correlate", "copying", shard(), SETTINGS)
    assert read_shard(tmp_path, "correlate", "copying", other) is None
    write_shard(tmp_path, "correlate", "copying", shard(seed=1), other)
    assert read_shard(tmp_path, "correlate", "copying", SETTINGS) is None
    found = read_shard(tmp_path, "correlate", "copying", other)
    assert found is not None
    assert found.table.equals(shard(seed=1).table)


def test_an_absent_shard_is_none(tmp_path: Path) -> None:
    assert read_shard(tmp_path, "ablate", "copying", SETTINGS) is None


def test_settings_are_the_same_in_any_order() -> None:
    assert digest_of(SETTINGS) == digest_of(dict(reversed(SETTINGS.items())))
    assert digest_of(SETTINGS) != digest_of({**SETTINGS, "pairs": [[3, 4], [1, 2]]})


def test_relations_are_joined_in_the_order_asked_for(tmp_path: Path) -> None:
    for seed, name in enumerate(("a", "b", "c")):
        write_shard(tmp_path, "correlate", name, shard(name, seed), {**SETTINGS, "seed": seed})
    wanted = {name: {**SETTINGS, "seed": seed} for seed, name in ((2, "c"), (0, "a"), (7, "b"))}
    table, facts = joined(tmp_path, "correlate", wanted)
    assert list(facts) == ["c", "a"]
    assert table.equals(pa.concat_tables([shard("c", 2).table, shard("a", 0).table]))
    nothing, none = joined(tmp_path, "ablate", wanted)
    assert nothing.equals(EXPERIMENTS["ablate"].empty_table())
    assert none == {}


@pytest.mark.parametrize("keep", [0, 3, 1000, -1])
def test_a_truncated_shard_is_named(tmp_path: Path, keep: int) -> None:
    write_shard(tmp_path, "correlate", "copying", shard(), SETTINGS)
    path = tmp_path / "validation" / "correlate" / "copying.parquet"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(CatalogBroken, match=r"copying\.parquet cannot be read") as raised:
        read_shard(tmp_path, "correlate", "copying", SETTINGS)
    assert "Delete that file and run the same annotator validate again" in str(raised.value)


def test_a_flipped_bit_is_named(tmp_path: Path) -> None:
    write_shard(tmp_path, "correlate", "copying", shard(), SETTINGS)
    path = tmp_path / "validation" / "correlate" / "copying.parquet"
    whole = path.read_bytes()
    column = pq.read_metadata(path).row_group(0).column(4)
    first = column.dictionary_page_offset or column.data_page_offset
    at = first + column.total_compressed_size - 3  # the last page's last numbers
    path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    with pytest.raises(CatalogBroken, match=r"validate again"):
        read_shard(tmp_path, "correlate", "copying", SETTINGS)


@pytest.mark.parametrize("metadata", [None, {b"annotator": b"[]"}, {b"annotator": b"{"}])
def test_a_foreign_file_is_named(tmp_path: Path, metadata: dict[bytes, bytes] | None) -> None:
    path = tmp_path / "validation" / "correlate" / "copying.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(shard().table.replace_schema_metadata(metadata), path)
    with pytest.raises(CatalogBroken, match=r"copying\.parquet"):
        read_shard(tmp_path, "correlate", "copying", SETTINGS)


def test_columns_of_another_experiment_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="names"):
        write_shard(tmp_path, "ablate", "copying", shard(), SETTINGS)


@pytest.mark.parametrize("name", ["", "a/b", "..\\b", "\0"])
def test_a_name_that_no_file_has_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingInvalid, match="relation"):
        write_shard(tmp_path, "correlate", name, shard(), SETTINGS)


def test_an_unknown_experiment_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingInvalid, match="correlate, multi_token, ablate, variants"):
        read_shard(tmp_path, "correlation", "copying", SETTINGS)
