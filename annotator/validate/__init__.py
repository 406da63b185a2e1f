"""The paper's experiments with the model in inference: does what the weights say hold in use?

`experiment` says what an experiment is, `registry` which there are, one file each; `inputs` is
what they work with. `compare_models` sets several models side by side.
"""
