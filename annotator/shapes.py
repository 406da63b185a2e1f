"""The axis names, defined once. Every tensor annotation in the package uses these and no others.

A tensor is annotated as ``Float[Tensor, "vocab d_model"]`` (jaxtyping); the tests run the whole
suite with those annotations checked, and check that no other name appears in one.
"""

from __future__ import annotations

AXES: dict[str, str] = {
    "vocab": "rows of the embedding: every token id, or the usable ones with --vocab usable",
    "d_model": "width of the residual stream",
    "d_head": "width of one head's value vector",
    "d_mlp": "width of the first MLP's hidden layer",
    "n_experts": "experts of the first block's MLP",
    "n_layers": "transformer blocks",
    "n_heads": "query heads of a layer",
    "n_kv_heads": "key/value heads of a layer; n_heads / n_kv_heads query heads share one",
    "rows": "any batch of rows: a block of sources, or vectors to project",
    "sources": "salient sources of a head, most salient first",
    "targets": "targets of a source, most promoted first",
    "d_in": "width that a linear map reads",
    "d_out": "width that a linear map writes",
    "columns": "any batch of columns",
    "k": "how many of the largest values are wanted",
    "prompts": "prompts of the oracle's short input",
    "positions": "positions of a prompt",
    "candidates": "values to choose from",
    "templates": "prompt templates of the paper's experiments",
    "draws": "random draws of a null or a bootstrap",
}
