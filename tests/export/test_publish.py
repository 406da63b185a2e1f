"""`--push` against a hub on this machine, with the real client: all of it arrives, and no more."""

from __future__ import annotations

import re
import shutil
from hashlib import sha256
from pathlib import Path

import pytest

import annotator
from annotator.atomic_files import part_name
from annotator.catalog.model_location import LOCATION_FILE as MODEL
from annotator.cli import main
from annotator.errors import SettingInvalid
from annotator.pipeline.publish import publish, require_repo, to_send
from annotator.views.export import hf
from tests.commands import error_of, files_of, text_of
from tests.export.conftest import LLMS, RATERS, REPO, SECRET, URL
from tests.loopback_push import PushHub, Repo

Capture = pytest.CaptureFixture[str]
# huggingface_hub's own, where it hands a file to httpx2.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


def test_one_commit_holds_exactly_the_folder(
    copied: Path, hub: PushHub, tmp_path: Path, capsys: Capture
) -> None:
    out = tmp_path / "hf"
    printed = text_of(capsys, "export", copied, "--to", "hf", "--out", out, "--push", REPO)
    assert re.fullmatch(rf"{hub.url}/datasets/{REPO}/commit/[0-9a-f]{{40}}\n", printed)
    repo = hub.repos[REPO]
    assert not repo.private
    ((branch, message, files),) = repo.commits
    assert (branch, message) == ("main", "Attention heads, from annotator")
    assert files == files_of(out)
    assert files.keys() == set(hf.every_file())
    large = {sha256(content).hexdigest() for name, content in files.items() if name != hf.CARD}
    assert hub.stored.keys() == large


def test_nothing_secret_is_in_any_byte_that_is_sent(
    copied: Path, hub: PushHub, tmp_path: Path, capsys: Capture
) -> None:
    """But for the token in its header, and only to the hub."""
    assert (copied / MODEL).is_file()
    where = copied.parent
    text_of(capsys, "export", copied, "--to", "hf", "--push", REPO)
    sent = b"".join(hub.sent)
    assert sum(map(len, hub.repos[REPO].commits[0][2].values())) < len(sent) + 10**6
    secret = {
        *(SECRET, URL, "elsewhere.example", "10.1.2.3", "/home/ada", "label-studio.example"),
        *(*RATERS[:2], str(where), str(Path.home()) + "/", "ledger.db", ".model", "hunter2"),
        *(re.split(r"[:@]", llm)[-1] for llm in LLMS),
    }
    files = b"".join(files_of(copied / "export" / "hf").values())
    unpacked = b"".join(map(str_of, (copied / "export" / "hf").rglob("*.parquet")))
    for one in secret - {"tiny.gguf"}:
        for content in (sent, files, unpacked):
            assert one.encode() not in content, one
    assert hub.token.encode() not in files + unpacked
    for part in sent.split(hub.token.encode())[:-1]:
        assert part.lower().endswith(b"authorization: bearer ")


def str_of(path: Path) -> bytes:
    """A Parquet file's texts, which are compressed in it; and what is said of it."""
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    return str(table.to_pylist()).encode() + str(pq.read_metadata(path).metadata).encode()


def test_a_dry_run_makes_no_request(
    bare: Path, hub: PushHub, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    out = tmp_path / "hf"
    more = ("--push", REPO, "--private", "--revision", "draft", "--dry-run")
    printed = text_of(capsys, "export", bare, "--to", "hf", "--out", out, *more)
    assert hub.requests == []
    lines = printed.splitlines()
    for name, content in files_of(out).items():
        assert any(line.split() == [f"{len(content):,}", "bytes", name] for line in lines)
    total = sum(map(len, files_of(out).values()))
    assert lines[-1] == (
        f"{total:,} bytes would go to {hub.url}/datasets/{REPO}, branch draft; the repository "
        "would be private if it is new. Nothing was sent."
    )


def test_a_private_repository_and_a_branch(dataset: Path, hub: PushHub) -> None:
    publish(dataset, REPO, private=True, revision="draft")
    repo = hub.repos[REPO]
    assert repo.private
    assert repo.branches["main"] == {}
    assert repo.branches["draft"] == files_of(dataset)
    publish(dataset, REPO, private=True, revision="draft")


def test_private_is_never_published_in_a_public_repository(
    dataset: Path, hub: PushHub, bare: Path, capsys: Capture, tmp_path: Path
) -> None:
    hub.repos[REPO] = Repo(private=False)
    said = error_of(
        capsys, "export", bare, "--to", "hf", "--out", tmp_path / "hf", "--push", REPO, "--private"
    )
    assert f"nothing was published at {REPO}: it is there already, and public" in said
    assert "leave --private out" in said
    assert hub.repos[REPO].commits == []
    assert hub.stored == {}


def test_a_private_repository_stays_private(dataset: Path, hub: PushHub) -> None:
    hub.repos[REPO] = Repo(private=True)
    publish(dataset, REPO)
    assert hub.repos[REPO].private


def test_what_an_older_export_had_is_deleted_and_no_more(
    bare: Path, dataset: Path, hub: PushHub, tmp_path: Path
) -> None:
    publish(dataset, REPO)
    repo = hub.repos[REPO]
    repo.branches["main"] |= {".gitattributes": b"mine", "data/mine.parquet": b"mine"}
    annotator.export(bare, "hf", tmp_path, progress=False)
    publish(tmp_path, REPO)
    mine = {".gitattributes": b"mine", "data/mine.parquet": b"mine"}
    assert repo.branches["main"] == files_of(tmp_path) | mine
    assert len(repo.commits) == 2


def test_other_files_of_the_folder_stay_here(bare: Path, hub: PushHub, tmp_path: Path) -> None:
    annotator.export(bare, "hf", tmp_path, progress=False)
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "data" / "ledger.db").write_text("mine")
    publish(tmp_path, REPO)
    assert hub.repos[REPO].branches["main"].keys() == {
        hf.CARD,
        "data/heads.parquet",
        "data/mappings.parquet",
    }


def test_a_folder_that_is_no_dataset(tmp_path: Path) -> None:
    with pytest.raises(SettingInvalid, match="export --to hf wrote"):
        to_send(tmp_path)
    (tmp_path / hf.CARD).write_text("# My thesis")
    with pytest.raises(SettingInvalid, match="export --to hf wrote"):
        to_send(tmp_path)


@pytest.mark.parametrize("stage", ["old", "entering"])
def test_a_dataset_whose_export_was_killed_between_old_and_new(
    dataset: Path, tmp_path: Path, stage: str
) -> None:
    folder = shutil.copytree(dataset, tmp_path / "hf")
    (folder / part_name() / stage).mkdir(parents=True)
    with pytest.raises(SettingInvalid, match="to its end"):
        to_send(folder)


@pytest.mark.parametrize(
    "repo",
    [
        "heads",
        "me/",
        "/me",
        "me/a/b",
        "me/a b",
        "me/..",
        "me/a--b",
        "me/a.git",
        "me/-",
        "../me",
        "me/" + "x" * 96,
        "https://huggingface.co/me/x",
        "mé/x",
        "me/a\n",
    ],
)
def test_no_repository_has_such_a_name(
    repo: str, bare: Path, hub: PushHub, tmp_path: Path, capsys: Capture
) -> None:
    said = error_of(capsys, "export", bare, "--to", "hf", "--out", tmp_path / "hf", "--push", repo)
    assert "must be a repository's name, OWNER/NAME" in said
    assert hub.requests == []
    assert not (tmp_path / "hf").exists(), "said before any work"


@pytest.mark.parametrize("repo", ["me/heads", "me/a", "Some-Org/tiny_llama.v1-heads", "a/A"])
def test_names_that_the_hub_takes(repo: str) -> None:
    from huggingface_hub.utils import validate_repo_id

    require_repo(repo)
    validate_repo_id(repo)


@pytest.mark.parametrize("branch", ["", "a b", "../x", "a..b", "-x", "a/", "é", "a\n"])
def test_no_branch_has_such_a_name(branch: str) -> None:
    with pytest.raises(SettingInvalid, match="a branch's name"):
        require_repo(REPO, branch)


@pytest.mark.parametrize(
    "options",
    [
        ("--to", "csv", "--push", REPO),
        ("--to", "site", "--push", REPO),
        ("--to", "parquet", "--license", "mit"),
        *(("--to", "hf", *more) for more in (("--private",), ("--dry-run",), ("--revision", "x"))),
    ],
)
def test_options_that_do_not_go_together(
    bare: Path, options: tuple[str, ...], capsys: Capture
) -> None:
    assert main(["export", str(bare), *options]) == 2
    assert "--" in capsys.readouterr().err
    assert not (bare / "export").exists()
