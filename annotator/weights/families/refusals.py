"""Architectures that are known and not mapped, each with its reason."""

from __future__ import annotations

from collections.abc import Mapping

_LATENT = "its attention is latent (MLA): values pass an inner norm, so heads are no linear maps"
_HYBRID = "some of its layers have no attention (a hybrid), so that its heads are not all there"
_NO_ATTENTION = "it has no attention heads"
_ENCODER = "it is no decoder-only language model"
_CLIPPED = "it clamps values (clip_qkv), so that heads are no linear maps"

REFUSALS: Mapping[str, str] = {
    **dict.fromkeys(
        (
            *("deepseek_v2", "deepseek_v3", "deepseek_v32", "glm4_moe_lite", "glm_moe_dsa"),
            *("kimi_k2", "kimi_linear", "longcat_flash", "minicpm3", "youtu"),
        ),
        _LATENT,
    ),
    **dict.fromkeys(
        (
            *("bamba", "falcon_h1", "granitemoehybrid", "jamba", "lfm2", "lfm2_moe", "minimax"),
            *("nemotron_h", "olmo_hybrid", "qwen3_5", "qwen3_5_text", "qwen3_next"),
            *("recurrent_gemma", "zamba", "zamba2"),
        ),
        _HYBRID,
    ),
    **dict.fromkeys(("falcon_mamba", "mamba", "mamba2", "rwkv", "xlstm"), _NO_ATTENTION),
    **dict.fromkeys(
        ("bart", "bert", "distilbert", "electra", "modernbert", "roberta", "t5", "whisper"),
        _ENCODER,
    ),
    "dbrx": _CLIPPED,
}
