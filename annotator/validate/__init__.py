"""The paper's experiments with the model in inference: does what the weights say hold in use?

`correlate` and `multi-token` compare static relation scores with what heads write in prompts,
`ablate` silences the heads of a relation, `compare` sets several models side by side.
"""
