"""`annotator prompts show`: what a language model would be sent about a head."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annotator.catalog.read import Catalog, open_catalog
from annotator.records import BASELINE, HeadMap

if TYPE_CHECKING:
    from annotator.describe.llm import Llm
    from annotator.describe.prompt import Template
    from annotator.describe.request import Request


@dataclass(frozen=True)
class PromptPreview:
    """What would be sent about a head.

    Attributes:
        system: the system message.
        prompt: the user message.
        schema: that the answer has to fit; empty where nobody is named who would get it.
        counted: its tokens, as the language model counts them; None where it does not.
        key: of the request; "" where nobody is named who would get it.
    """

    system: str
    prompt: str
    schema: Mapping[str, Any] = field(default_factory=dict[str, Any])
    counted: int | None = None
    key: str = ""

    @property
    def estimated(self) -> int:
        """Its tokens, estimated from its length: SmolLM2's tokenizer comes to 2.3 bytes a token."""
        return round(len(f"{self.system}{self.prompt}".encode()) / 2.3)


def request_of(llm: Llm, head: HeadMap, template: Template) -> Request:
    """What a language model is asked about a head; the rules are asked with its signatures."""
    from annotator.describe.evidence import evidence_of
    from annotator.describe.prompt import render

    if llm.name == BASELINE:
        return llm.request("", json.dumps(asdict(head.signatures)), "")
    rendered = render(evidence_of(head), template)
    return llm.request(rendered.system, rendered.prompt, rendered.digest)


def prompt_of(
    catalog: Catalog | str | Path,
    head: str,
    llm: str | None = None,
    *,
    key_file: str | Path | None = None,
    key_env: str | None = None,
    allow_http: bool = False,
    prompts: str | Path | None = None,
) -> PromptPreview:
    """What would be sent about a head. No model is asked.

    Args:
        catalog: a finished catalog's directory.
        head: the head's name.
        llm: as --llm names it: who it would be sent to, and counts its tokens; None: nobody.
        key_file: a file that holds the key; by default it is the environment's, at the provider's
            own address.
        key_env: an environment variable that holds the key.
        allow_http: whether the key may go to another machine over http.
        prompts: a directory with a template of one's own.

    Raises:
        PromptInvalid: a template of one's own that cannot be used.
        DescribeError: there is no such language model, or no key for it.
    """
    from annotator.describe.api_keys import KeyChoice
    from annotator.describe.evidence import evidence_of
    from annotator.describe.prompt import read_template, render
    from annotator.describe.providers import open_llm
    from annotator.pipeline.quickstart import embedded_model

    map_of_head, template = open_catalog(catalog).head(head), read_template(prompts)
    if llm is None:
        rendered = render(evidence_of(map_of_head), template)
        return PromptPreview(rendered.system, rendered.prompt)
    key = KeyChoice(key_file, key_env, allow_http)
    with closing(open_llm(llm, key, embedded_model)) as model:
        request = request_of(model, map_of_head, template)
        schema = {} if model.name == BASELINE else request.schema
        counted = model.count(request)
        return PromptPreview(request.system, request.prompt, schema, counted, request.key)
