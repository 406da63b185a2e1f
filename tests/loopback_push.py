"""The writing side of a Hugging Face hub on 127.0.0.1, and the store for large files beside it.

As much of the protocol as huggingface_hub speaks when a folder is pushed as one commit: make a
repository and a branch, check the card, preupload, LFS batch, PUT to the store, commit.
"""

from __future__ import annotations

import base64
import json
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha1, sha256
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.loopback import serving

Files = dict[str, bytes]


@dataclass
class Repo:
    """A dataset's repository: private or not, and by branch its files and the messages."""

    private: bool
    branches: dict[str, Files] = field(default_factory=lambda: {"main": {}})
    commits: list[tuple[str, str, Files]] = field(default_factory=list)


@dataclass
class PushHub:
    """What the server holds, how it misbehaves, and what it was sent.

    Attributes:
        url: what HF_ENDPOINT must be.
        store: where large files go: another origin, as the real hub's are.
        token: the only one that may write.
        owners: who there is to write to, by whether the token may.
        repos: the repositories by name.
        stored: large files by their SHA-256.
        refused: of a path's first segment after /api/ (or "lfs", "put", "commit"), a status.
        breaks: how many PUTs to the store end half-way.
        waits: while it is not set, the store does not answer.
        requests: (method, path) of every request, in order.
        sent: all bytes that came: request lines, headers and bodies.
    """

    url: str = ""
    store: str = ""
    token: str = "hf_" + "x" * 34
    owners: dict[str, bool] = field(default_factory=lambda: {"me": True, "others": False})
    repos: dict[str, Repo] = field(default_factory=dict)
    stored: dict[str, bytes] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    breaks: int = 0
    waits: threading.Event = field(default_factory=threading.Event)
    requests: list[tuple[str, str]] = field(default_factory=list)
    sent: list[bytes] = field(default_factory=list)


class _Handler(BaseHTTPRequestHandler):
    hub: PushHub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def _serve(self) -> None:
        path = urlsplit(self.path).path
        self.hub.requests.append((self.command, path))
        parts = [unquote(part) for part in path.strip("/").split("/")]
        if parts[0] == "store":
            self._put(parts[1])
            return
        body = self._body()
        kind = (
            "lfs"
            if parts[-1] == "batch"
            else parts[4]
            if parts[1] == "datasets" and len(parts) > 4
            else parts[1]
        )
        if kind in self.hub.refused:
            self._answer(self.hub.refused[kind], {"error": f"no {kind} today"})
        elif self.headers["authorization"] != f"Bearer {self.hub.token}":
            self._answer(401, {"error": "Invalid credentials in Authorization header"})
        elif parts == ["api", "validate-yaml"]:
            self._answer(200, {"errors": [], "warnings": []})
        elif parts == ["api", "repos", "create"]:
            self._create(json.loads(body))
        elif kind == "lfs":
            self._batch(json.loads(body))
        else:
            self._repository("/".join(parts[2:4]), parts[4:], body)

    def _body(self) -> bytes:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.hub.sent += [f"{self.command} {self.path}\n{self.headers}".encode(), body]
        return body

    def _create(self, asked: dict[str, Any]) -> None:
        assert asked["type"] == "dataset"
        may = self.hub.owners.get(asked["organization"])
        name = f"{asked['organization']}/{asked['name']}"
        if may is None:
            self._answer(404, {"error": "no such namespace"})
        elif not may:
            self._answer(403, {"error": "You don't have the rights to create a dataset here"})
        elif name in self.hub.repos:
            self._answer(
                409, {"error": "You already created this dataset repo", "url": self._url(name)}
            )
        else:
            self.hub.repos[name] = Repo(asked["visibility"] == "private")
            self._answer(200, {"url": self._url(name)})

    def _url(self, name: str) -> str:
        return f"{self.hub.url}/datasets/{name}"

    def _repository(self, name: str, what: list[str], body: bytes) -> None:
        repo = self.hub.repos.get(name)
        if repo is None:
            self._answer(404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})
            return
        branch = "main" if what[:1] != ["revision"] else what[1]
        if not what or what[0] == "revision":
            siblings = [{"rfilename": file} for file in repo.branches[branch]]
            info = {"id": name, "private": repo.private, "sha": "0" * 40, "siblings": siblings}
            self._answer(200, info)
        elif what[0] == "branch":
            if what[1] in repo.branches:
                self._answer(409, {"error": "Reference already exists"})
            else:
                repo.branches[what[1]] = dict(repo.branches["main"])
                self._answer(200, {})
        elif what[0] == "preupload":
            self._preupload(json.loads(body))
        elif what[0] == "tree":
            files = repo.branches[what[1]].items()
            self._answer(
                200,
                [
                    {"type": "file", "path": n, "size": len(c), "oid": sha1(c).hexdigest()}
                    for n, c in files
                ],
            )
        elif what[0] == "commit":
            self._commit(name, repo, what[1], [json.loads(line) for line in body.splitlines()])
        else:
            raise AssertionError(what)

    def _preupload(self, asked: dict[str, Any]) -> None:
        files = [
            {
                "path": one["path"],
                "uploadMode": "lfs" if one["path"].endswith(".parquet") else "regular",
                "shouldIgnore": False,
            }
            for one in asked["files"]
        ]
        self._answer(200, {"files": files})

    def _batch(self, asked: dict[str, Any]) -> None:
        objects: list[dict[str, Any]] = []
        for one in asked["objects"]:
            there = one["oid"] in self.hub.stored
            action = {"upload": {"href": f"{self.hub.store}/store/{one['oid']}?X-Signature=signed"}}
            objects.append({**one, **({} if there else {"actions": action})})
        self._answer(200, {"transfer": "basic", "objects": objects})

    def _put(self, oid: str) -> None:
        length = int(self.headers["content-length"])
        if self.hub.breaks:
            self.hub.breaks -= 1
            self.hub.sent.append(self.rfile.read(length // 2))
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
            return
        self.hub.waits.wait()
        content = self._body()
        if "put" in self.hub.refused:
            self._answer(self.hub.refused["put"], {})
            return
        assert sha256(content).hexdigest() == oid
        assert "authorization" not in self.headers
        self.hub.stored[oid] = content
        self._answer(200, {})

    def _commit(self, name: str, repo: Repo, branch: str, lines: list[dict[str, Any]]) -> None:
        files = dict(repo.branches[branch])
        message = ""
        for line in lines:
            value = line["value"]
            if line["key"] == "header":
                message = value["summary"]
            elif line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.hub.stored[value["oid"]]
            else:
                assert line["key"] == "deletedFile"
                del files[value["path"]]
        repo.branches[branch] = files
        repo.commits.append((branch, message, files))
        oid = sha1(str(len(repo.commits)).encode()).hexdigest()
        self._answer(200, {"commitUrl": f"{self._url(name)}/commit/{oid}", "commitOid": oid})

    def _answer(self, status: int, value: Any, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(value).encode()
        said = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        if status >= 400 and isinstance(value, dict) and "error" in value:
            said["X-Error-Message"] = value["error"]
        self.send_response(status)
        for name, one in {**said, **(headers or {})}.items():
            self.send_header(name, one)
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def running() -> Iterator[PushHub]:
    """A hub and its store on free ports of 127.0.0.1 until the block ends."""
    hub = PushHub()
    hub.waits.set()
    handler = type("Handler", (_Handler,), {"hub": hub})
    with serving(handler) as hub.url, serving(handler) as hub.store:
        yield hub
