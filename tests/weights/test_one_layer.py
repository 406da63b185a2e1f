"""A question about one head reads that head's layer, the embeddings and the first MLP; no more."""

from __future__ import annotations

import annotator
from annotator.weights.in_memory import InMemory
from tests import tiny


class Noted(InMemory):
    """A model in memory that notes which tensors are looked at."""

    def __init__(self) -> None:
        module = tiny.llama()
        super().__init__(module.state_dict(), module.config.to_dict(), "noted")
        self.seen: set[str] = set()

    def shape(self, name: str) -> tuple[int, ...]:
        self.seen.add(name)
        return super().shape(name)


def test_row_touches_one_layer() -> None:
    source = Noted()
    annotator.row(source, "L1H2", " the", tokenizer=tiny.tokenizer())
    heads = {f"model.layers.1.self_attn.{part}.weight" for part in ("v_proj", "o_proj")}
    first = {f"model.layers.0.mlp.{part}_proj.weight" for part in ("gate", "up", "down")}
    others = {"model.embed_tokens.weight", "lm_head.weight"}
    norm = {"model.layers.0.post_attention_layernorm.weight"}
    assert source.seen == heads | first | others | norm


def test_find_touches_every_layer() -> None:
    source = Noted()
    annotator.find(source, " the", " of", tokenizer=tiny.tokenizer())
    assert {f"model.layers.{n}.self_attn.v_proj.weight" for n in range(3)} <= source.seen
    assert not any("q_proj" in name or "layers.1.mlp" in name for name in source.seen)
