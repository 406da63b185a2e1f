"""llama.cpp in this process, through xllamacpp: no key, no network, no cost.

Its server is asked over the loopback as any OpenAI-compatible one is; the GGUF file's digest stands
for the model in a request's key, so that another file is another model whatever its name.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import replace
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any

from annotator.describe.llm import Reply
from annotator.describe.openai import OpenAi
from annotator.describe.outcome import Described, Failed, Outcome, Unclear, answer_schema
from annotator.describe.providers import NamedLlm
from annotator.describe.request import Request
from annotator.errors import LlmInvalid, MissingExtra
from annotator.paths import user_path

CONTEXT = 6144
"""Tokens of prompt and answer together; the longest prompt seen on SmolLM2 has 3,228."""
LONGEST_FIELDS = {"reasoning": 240, "inputs": 120, "pattern": 120}
"""Letters of each text in an answer."""
PATIENCE = 86_400.0
"""Seconds for an answer: here nothing is lost on the way, it is only slow."""
UNLOADABLE = (
    "llama.cpp cannot load this file: it is broken, of a kind that it does not know, or too large "
    "for the memory there is"
)


class Local:
    """A GGUF model, run here; see `annotator.describe.llm.Llm`.

    Args:
        path: the GGUF file.
        max_tokens: the answer's limit.
        timeout: seconds for an answer.

    Raises:
        LlmInvalid: there is no such file.
        MissingExtra: xllamacpp is not installed.
    """

    at_once: int | None = 1

    def __init__(self, path: Path, *, max_tokens: int = 512, timeout: float = PATIENCE) -> None:
        if not path.is_file():
            raise LlmInvalid(f"local:{path}", "there is no such file")
        if find_spec("xllamacpp") is None:
            raise MissingExtra("a local language model", "pip install xllamacpp")
        self.path = path
        self._max_tokens, self._timeout = max_tokens, timeout
        self.name = f"local:{path.name}"
        self._server: Any = None
        self._asked: OpenAi | None = None
        self._turn = Lock()

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the file, in hexadecimal."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def request(self, system: str, prompt: str, template: str, sample: int = 0) -> Request:
        """The request that asks this model."""
        return Request(
            provider="local",
            base_url="",
            model=self.digest,
            system=system,
            prompt=prompt,
            schema=_short(answer_schema()),
            template=template,
            sampling={"max_tokens": self._max_tokens, "temperature": 0.0, "seed": sample},
            sample=sample,
        )

    def send(self, request: Request, **changes: Any) -> Reply:
        """Send it once; the model is loaded before the first, and answers one at a time."""
        with self._turn:
            try:
                model = self._model()
            except RuntimeError:
                return Reply(Failed(UNLOADABLE, fatal=True))
            reply = model.send(request, **changes)
        return replace(reply, outcome=_marked(reply.outcome))

    def count(self, request: Request) -> int | None:
        """How many tokens it would send, the model's chat template included."""
        with self._turn:
            try:
                return self._model().count(request)
            except RuntimeError:
                return None

    def close(self) -> None:
        """Let go of the model, unless it is at an answer: llama.cpp would wait for ever."""
        if not self._turn.acquire(blocking=False):
            return
        try:
            if self._asked is not None:
                self._asked.close()
            self._asked = self._server = None
        finally:
            self._turn.release()

    def _model(self) -> OpenAi:
        if self._asked is None:
            self._server = _serve(self.path)
            url = f"{self._server.listening_address}/v1"
            self._asked = OpenAi(self.name, base_url=url, timeout=self._timeout)
        return self._asked


def _marked(outcome: Outcome) -> Outcome:
    """An answer whose texts say where they were cut."""
    if not isinstance(outcome, Described | Unclear):
        return outcome
    texts = {name: getattr(outcome, name, "") for name in LONGEST_FIELDS}
    cut = {name: f"{text} …" for name, text in texts.items() if len(text) >= LONGEST_FIELDS[name]}
    return replace(outcome, **cut)


def _short(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with a longest text: a small model may otherwise repeat itself to the limit."""
    texts = {name: {"maxLength": longest} for name, longest in LONGEST_FIELDS.items()}
    own = schema["properties"]
    return {**schema, "properties": {name: {**own[name], **texts.get(name, {})} for name in own}}


def threads() -> int:
    """As many as there are cores, or as OMP_NUM_THREADS says, as for torch.

    They wait for each other in a loop: more than there are free cores take many times as long.
    """
    said = os.environ.get("OMP_NUM_THREADS", "")
    return int(said) if re.fullmatch("[1-9][0-9]*", said) else os.cpu_count() or 1


def _serve(path: Path) -> Any:
    xllamacpp: Any = import_module("xllamacpp")
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_ctx, params.n_parallel, params.n_gpu_layers = CONTEXT, 1, 0
    params.cpuparams.n_threads = threads()  # unset, it crawls
    params.port, params.verbosity = 0, -1
    return xllamacpp.Server(params)


def open_llm_named(named: NamedLlm) -> Local:
    """The model that `local:FILE` names, or for `local:` alone the one that comes as a package."""
    path = user_path(named.model) if named.model else named.embedded()
    return Local(path, **named.options)
