"""Config keys of any family that do not enter a head map, by what they are about."""

from __future__ import annotations

# where it came from, how it is stored and run
BOOKKEEPING = (
    *("_flash_attn_2_enabled", "_num_labels", "is_composition", "use_return_dict"),
    *("_attn_implementation", "_attn_implementation_autoset", "_commit_hash"),
    *("_experts_implementation", "_from_model_config", "_name_or_path", "architectures"),
    *("attn_implementation", "auto_map", "custom_pipelines", "dtype", "finetuning_task"),
    *("is_llama_config", "language", "model_type", "problem_type", "return_dict"),
    *("task_specific_params", "tokenizer_class", "torch_dtype", "torchscript"),
    *("transformers.js_config", "transformers_version", "unsloth_fixed", "unsloth_version"),
    *("use_bfloat16", "use_cache", "use_flash_attn"),
)
# losses, dropout, initial values
TRAINING = (
    *("activation_dropout", "attention_dropout", "attention_probs_dropout_prob", "attn_pdrop"),
    *("aux_loss_alpha", "classifier_dropout", "dropout", "emb_pdrop", "embd_pdrop"),
    *("embed_dropout", "embedding_dropout", "gradient_checkpointing", "hidden_dropout"),
    *("hidden_dropout_prob", "initializer_range", "neftune_noise_alpha", "output_router_logits"),
    *("pretraining_tp", "resid_dropout", "resid_pdrop", "residual_dropout"),
    *("router_aux_loss_coef", "router_jitter_noise"),
)
# sampling, and which tokens begin and end
GENERATION = (
    *("bad_words_ids", "begin_suppress_tokens", "bos_token_id", "cache_implementation"),
    *("chunk_size_feed_forward", "decoder_start_token_id", "diversity_penalty", "do_sample"),
    *("early_stopping", "encoder_no_repeat_ngram_size", "eos_token_id"),
    *("exponential_decay_length_penalty", "forced_bos_token_id", "forced_eos_token_id"),
    *("length_penalty", "max_length", "min_length", "no_repeat_ngram_size", "num_beam_groups"),
    *("num_beams", "num_return_sequences", "output_attentions", "output_hidden_states"),
    *("output_past", "output_scores", "pad_token_id", "prefix", "remove_invalid_values"),
    *("repetition_penalty", "return_dict_in_generate", "sep_token_id", "suppress_tokens"),
    *("temperature", "tf_legacy_loss", "top_k", "top_p", "typical_p", "unk_token_id"),
)
# classifiers and the like
OTHER_HEADS = (
    *("cross_attention_hidden_size", "id2label", "is_decoder", "label2id", "summary_activation"),
    *("summary_first_dropout", "summary_proj_to_labels", "summary_type", "summary_use_proj"),
    *("tie_encoder_decoder",),
)
# who attends where: positions, windows, softmax
ATTENTION_PATTERN = (
    *("full_attn_mod", "interpolate_factor", "max_sequence_length"),
    *("_sliding_window_pattern", "attention_softmax_in_fp32", "layer_types"),
    *("max_position_embeddings", "max_window_layers", "model_max_length", "n_positions"),
    *("partial_rotary_factor", "qk_layer_norms", "reorder_and_upcast_attn", "rope_interleaved"),
    *("rope_local_base_freq", "rope_parameters", "rope_scaling", "rope_theta"),
    *("scale_attention_softmax_in_fp32", "sliding_window", "sliding_window_pattern"),
    *("sliding_window_size", "use_bidirectional_attention", "use_mrope", "use_sliding_window"),
)
# what a flat multimodal config says of its other towers
OTHER_MODALITIES = (
    *("image_token_id", "image_token_index", "num_image_tokens", "perceiver_config"),
    *("pixel_shuffle_factor", "text_config", "use_resampler", "video_token_id", "vision_config"),
    *("vision_end_token_id", "vision_start_token_id", "vision_token_id"),
)

INERT = frozenset(
    BOOKKEEPING + TRAINING + GENERATION + OTHER_HEADS + ATTENTION_PATTERN + OTHER_MODALITIES
)
