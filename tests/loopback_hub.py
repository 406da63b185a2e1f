"""A Hugging Face hub on 127.0.0.1: as much of its HTTP protocol as huggingface_hub needs.

Real sockets, real headers: repository info, `resolve` with a redirect to a store for large files,
the error codes, gated repositories, and connections that break in the middle of a file.
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha1, sha256
from http.server import BaseHTTPRequestHandler
from urllib.parse import unquote, urlsplit

from tests.loopback import serving

Files = Mapping[str, bytes]
LARGE = (".safetensors", ".bin", ".gguf")


@dataclass
class Hub:
    """What the server serves, and what was asked of it.

    Attributes:
        url: what HF_ENDPOINT must be.
        store: where large files lie: another origin, as the real hub's are.
        commits: commit -> files, by repository.
        branches: branch or tag -> commit, by repository.
        gated: repositories that only a token opens.
        private: repositories that only a token shows at all.
        bad_token: a token that the hub does not accept.
        drops: file name -> "close" or "reset": how its connection ends half-way.
        status: None, or the status that every request is answered with.
        requests: (method, path) of every request, in order.
    """

    url: str = ""
    store: str = ""
    commits: dict[str, dict[str, Files]] = field(default_factory=dict)
    branches: dict[str, dict[str, str]] = field(default_factory=dict)
    gated: set[str] = field(default_factory=set)
    private: set[str] = field(default_factory=set)
    bad_token: str = ""
    drops: dict[str, str] = field(default_factory=dict)
    status: int | None = None
    requests: list[tuple[str, str]] = field(default_factory=list)

    def push(self, repo: str, files: Files, branch: str = "main") -> str:
        """Put files on a branch; returns the commit."""
        content = b"".join(name.encode() + sha1(files[name]).digest() for name in sorted(files))
        commit = sha1(repo.encode() + content).hexdigest()
        self.commits.setdefault(repo, {})[commit] = files
        self.branches.setdefault(repo, {})[branch] = commit
        return commit

    def downloaded(self) -> set[str]:
        """Names of the files whose content was asked for."""
        return {
            path.rsplit("/", 1)[1]
            for method, path in self.requests
            if method == "GET" and not path.startswith("/api/")
        }

    def touched(self) -> set[str]:
        """Names of the files of which anything was asked, existence included."""
        return {path.rsplit("/", 1)[1] for _, path in self.requests if not path.startswith("/api/")}


class _Handler(BaseHTTPRequestHandler):
    hub: Hub

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._serve()

    def do_GET(self) -> None:
        self._serve()

    def _serve(self) -> None:
        path = urlsplit(self.path).path
        self.hub.requests.append((self.command, path))
        parts = [unquote(part) for part in path.strip("/").split("/")]
        if self.hub.status is not None:
            self._answer(self.hub.status, {})
        elif parts[:2] == ["api", "models"]:
            self._info("/".join(parts[2:4]), parts[5] if "revision" in parts[4:5] else "main")
        elif parts[0] == "cdn":
            self._content("/".join(parts[1:3]), parts[3], "/".join(parts[4:]))
        elif parts[2:3] == ["resolve"]:
            self._resolve("/".join(parts[:2]), parts[3], "/".join(parts[4:]))
        else:
            self._answer(404, {"X-Error-Code": "RepoNotFound"})

    def _commit(self, repo: str, revision: str) -> str | None:
        """The commit, where the request may see it; else the error is sent."""
        has_token = "authorization" in self.headers
        if has_token and self.headers["authorization"] == f"Bearer {self.hub.bad_token}":
            message = "Invalid credentials in Authorization header"
            self._answer(401, {"X-Error-Message": message})
            return None
        commits = self.hub.commits.get(repo)
        if commits is None or (repo in self.hub.private and not has_token):
            if has_token:
                self._answer(404, {"X-Error-Code": "RepoNotFound"})
            else:  # to a stranger the hub does not say whether a repository exists
                self._answer(401, {"X-Error-Message": "Invalid username or password."})
            return None
        commit = revision if revision in commits else self.hub.branches[repo].get(revision)
        if commit is None:
            self._answer(404, {"X-Error-Code": "RevisionNotFound"})
        return commit

    def _info(self, repo: str, revision: str) -> None:
        commit = self._commit(repo, revision)
        if commit is None:
            return
        siblings = [{"rfilename": name} for name in self.hub.commits[repo][commit]]
        info = {"id": repo, "modelId": repo, "sha": commit, "siblings": siblings, "tags": []}
        body = json.dumps(info).encode()
        self._answer(200, {"Content-Type": "application/json"}, body)

    def _resolve(self, repo: str, revision: str, file: str) -> None:
        commit = self._commit(repo, revision)
        if commit is None:
            return
        if repo in self.hub.gated:
            code = 403 if "authorization" in self.headers else 401
            self._answer(code, {"X-Error-Code": "GatedRepo", "X-Repo-Commit": commit})
            return
        content = self.hub.commits[repo][commit].get(file)
        if content is None:
            self._answer(404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit})
        elif file.endswith(LARGE):
            headers = {
                "X-Repo-Commit": commit,
                "X-Linked-Etag": f'"{sha256(content).hexdigest()}"',
                "X-Linked-Size": str(len(content)),
                "Location": f"{self.hub.store}/cdn/{repo}/{commit}/{file}",
            }
            self._answer(302, headers)
        else:
            headers = {"X-Repo-Commit": commit, "ETag": f'"{sha1(content).hexdigest()}"'}
            self._answer(200, headers, content)

    def _content(self, repo: str, commit: str, file: str) -> None:
        content = self.hub.commits[repo][commit][file]
        ends = self.hub.drops.get(file)
        if ends is None:
            self._answer(200, {"ETag": f'"{sha256(content).hexdigest()}"'}, content)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2])
        if ends == "reset":
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.connection.close()
        self.close_connection = True

    def _answer(self, status: int, headers: Mapping[str, str], body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)


@contextmanager
def running() -> Iterator[Hub]:
    """A hub and its store on free ports of 127.0.0.1 until the block ends."""
    hub = Hub()
    handler = type("Handler", (_Handler,), {"hub": hub})
    with serving(handler) as hub.url, serving(handler) as hub.store:
        yield hub


def closed_port() -> str:
    """The address of a port where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"
