"""Shards: whole or absent, of these settings or none, broken ones named."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from annotator.catalog.experiment_shards import schema_of, shards_of
from annotator.catalog.shards import LayerShards, Shards, digest_of
from annotator.errors import CatalogBroken, SettingInvalid
from annotator.validate.experiment import head_rows
from annotator.validate.registry import experiment

SETTINGS = {"k": 10, "pairs": [[1, 2], [3, 4]], "dtype": "float32"}
FACTS = {"k": 10, "dropped": {"a reason": 3}, "reason": None}
SCHEMA = schema_of(experiment("correlate"))


def shards(folder: Path, name: str = "correlate") -> Shards:
    return shards_of(folder, experiment(name))


def rows(relation: str = "copying", seed: int = 0) -> pa.Table:
    generator = torch.Generator().manual_seed(seed)
    tables: list[pa.Table] = []
    for template in range(4):
        scores = {
            name: torch.rand(3, 2, generator=generator, dtype=torch.float64)
            for name in ("static", "without", "with_context")
        }
        columns = head_rows(scores, relation=relation, template=template)
        tables.append(pa.table({name: columns[name] for name in SCHEMA.names}, SCHEMA))
    return pa.concat_tables(tables)


def write(folder: Path, relation: str = "copying", seed: int = 0, **settings: object) -> None:
    made = {"correlate": rows(relation, seed)}
    shards(folder).write(relation, made, {**SETTINGS, **settings}, FACTS)


def test_a_shard_comes_back_as_it_was(tmp_path: Path) -> None:
    write(tmp_path)
    found = shards(tmp_path)
    assert found.has("copying", SETTINGS)
    assert found.read("correlate", "copying").equals(rows())
    assert found.read("correlate", "copying").schema.equals(SCHEMA, check_metadata=True)
    assert found.about("correlate", "copying")["facts"] == FACTS
    folder = tmp_path / "validation" / "correlate"
    assert [path.name for path in folder.iterdir()] == ["copying.parquet"]


def test_rows_are_by_layer_and_head() -> None:
    static = torch.arange(6, dtype=torch.float64).view(3, 2)
    found = head_rows({"static": static}, relation="a", variant="embedding")
    schema = schema_of(experiment("variants"))
    assert pa.table({name: found[name] for name in schema.names}, schema).to_pylist()[3] == {
        **{"relation": "a", "variant": "embedding", "layer": 1, "head": 1, "static": 3.0}
    }


def test_a_shard_may_have_no_rows(tmp_path: Path) -> None:
    found = shards(tmp_path)
    found.write("a", {"correlate": SCHEMA.empty_table()}, {}, {"reason": "12 pairs"})
    assert found.has("a", {})
    assert found.read("correlate", "a").num_rows == 0
    assert found.about("correlate", "a")["facts"] == {"reason": "12 pairs"}


@pytest.mark.parametrize(
    "other", [{**SETTINGS, "k": 1}, {"k": 10}, {**SETTINGS, "pairs": [[1, 2]]}, {}]
)
def test_a_shard_of_other_settings_is_none(tmp_path: Path, other: dict[str, object]) -> None:
    write(tmp_path)
    found = shards(tmp_path)
    assert not found.has("copying", other)
    found.write("copying", {"correlate": rows(seed=1)}, other)
    assert not found.has("copying", SETTINGS)
    assert found.has("copying", other)
    assert found.read("correlate", "copying").equals(rows(seed=1))


def test_an_absent_shard_is_none(tmp_path: Path) -> None:
    assert not shards(tmp_path, "ablate").has("copying", SETTINGS)
    assert shards(tmp_path, "ablate").settings("ablate") == []


def test_settings_are_the_same_in_any_order() -> None:
    assert digest_of(SETTINGS) == digest_of(dict(reversed(SETTINGS.items())))
    assert digest_of(SETTINGS) != digest_of({**SETTINGS, "pairs": [[3, 4], [1, 2]]})


def test_parts_are_joined_in_the_order_asked_for(tmp_path: Path) -> None:
    for seed, name in enumerate(("a", "b", "c")):
        write(tmp_path, name, seed)
    found = shards(tmp_path)
    assert found.settings("correlate") == [SETTINGS] * 3
    joined = found.joined("correlate", ["c", "a"])
    assert joined.equals(pa.concat_tables([rows("c", 2), rows("a", 0)]))
    assert found.joined("correlate", []).equals(SCHEMA.empty_table())


@pytest.mark.parametrize("keep", [0, 3, 1000, -1])
def test_a_truncated_shard_is_named(tmp_path: Path, keep: int) -> None:
    write(tmp_path)
    path = tmp_path / "validation" / "correlate" / "copying.parquet"
    path.write_bytes(path.read_bytes()[:keep])
    for ask in (lambda: shards(tmp_path).has("copying", SETTINGS), lambda: read(tmp_path)):
        with pytest.raises(CatalogBroken, match=r"copying\.parquet cannot be read") as raised:
            ask()
        assert "Delete that file and run the same annotator validate again" in str(raised.value)


def read(folder: Path) -> pa.Table:
    return shards(folder).read("correlate", "copying")


def test_a_flipped_bit_is_named(tmp_path: Path) -> None:
    write(tmp_path)
    path = tmp_path / "validation" / "correlate" / "copying.parquet"
    whole = path.read_bytes()
    column = pq.read_metadata(path).row_group(0).column(4)
    first = column.dictionary_page_offset or column.data_page_offset
    at = first + column.total_compressed_size - 3  # the last page's last numbers
    path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    with pytest.raises(CatalogBroken, match=r"validate again"):
        read(tmp_path)


@pytest.mark.parametrize("metadata", [None, {b"annotator": b"[]"}, {b"annotator": b"{"}])
def test_a_foreign_file_is_named(tmp_path: Path, metadata: dict[bytes, bytes] | None) -> None:
    path = tmp_path / "validation" / "correlate" / "copying.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(rows().replace_schema_metadata(metadata), path)
    with pytest.raises(CatalogBroken, match=r"copying\.parquet"):
        shards(tmp_path).has("copying", SETTINGS)


def test_columns_of_another_experiment_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="names"):
        shards(tmp_path, "ablate").write("copying", {"ablate": rows()}, SETTINGS)


@pytest.mark.parametrize("name", ["", "a/b", "..\\b", "\0", ".", ".."])
def test_a_name_that_no_file_has_leads_nowhere_else(tmp_path: Path, name: str) -> None:
    write(tmp_path, name)
    assert shards(tmp_path).has(name, SETTINGS)
    (file,) = (path for path in tmp_path.rglob("*") if path.is_file())
    assert file.parent == tmp_path / "validation" / "correlate"


def test_an_unknown_experiment_is_refused() -> None:
    with pytest.raises(SettingInvalid, match="correlate, multi_token, ablate, variants"):
        experiment("correlation")


def test_a_group_of_layers_is_finished_when_every_table_has_its_shard(tmp_path: Path) -> None:
    schemas = {name: pa.schema([pa.field("layer", pa.int16())]) for name in ("one", "two")}
    groups = [(0,), (1, 2), (3, 4, 5)]
    found = LayerShards(tmp_path, schemas, "Run it again", groups)
    assert found.missing() == groups
    for group in (groups[2], groups[0]):
        own = pa.table({"layer": list(group)})
        found.add({"one": own, "two": own}, group)
    assert found.missing() == [(1, 2)]
    found.add({"one": pa.table({"layer": [1, 2]})}, (1, 2))
    assert found.missing() == [(1, 2)], "one of its tables is not there"
    names = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.parquet")}
    assert {"one/L000.parquet", "one/L001-002.parquet", "two/L003-005.parquet"} < names
    assert found.whole("one")["layer"].to_pylist() == [0, 1, 2, 3, 4, 5]
    (tmp_path / "one" / "L000.parquet").write_bytes(b"no table")
    with pytest.raises(CatalogBroken, match="Run it again"):
        found.whole("one")
