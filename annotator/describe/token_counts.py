"""What a server says that a request took: believed, as far as it can be."""

from __future__ import annotations

from typing import Any

from annotator.describe.request import Request

MOST_TOKENS = 1_000_000_000  # of one sending; more is no count, and sums of such would not be kept
LONGEST_COUNT = 200  # letters of what is no count; a key is shorter, and hidden as a whole
MOST_BYTES = 8  # a token of a prompt of ours has on average, in whatever vocabulary
CURE = "OLLAMA_CONTEXT_LENGTH of Ollama, --ctx-size of llama.cpp, --max-model-len of vLLM"


def token_count(said: Any) -> int:
    """A count of tokens as it is written down; 0 of what is none."""
    if isinstance(said, bool) or not isinstance(said, int | float) or said != said:
        return 0
    return int(min(max(said, 0), MOST_TOKENS))


def doubts(request: Request, tokens_in: Any, tokens_out: Any) -> dict[str, str]:
    """What people should know of the counts that a server gave, by kind; none of one without."""
    found: dict[str, str] = {}
    for said in (tokens_in, tokens_out):
        if said is not None and (token_count(said) != said or isinstance(said, bool)):
            down = f"{token_count(said):,} is written down"
            found["absurd"] = f"The server counts {str(said)[:LONGEST_COUNT]} tokens: {down}."
    size = len(f"{request.system}{request.prompt}".encode(errors="replace"))
    if 0 < token_count(tokens_in) * MOST_BYTES < size:
        found["cut"] = (
            f"The server counts {token_count(tokens_in):,} tokens in a prompt of {size:,} bytes:"
            f" it seems to have read only a part. Give it a longer context ({CURE})."
        )
    return found
