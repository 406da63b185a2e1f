"""Bad inputs: each a command in a folder that is made for it, with its exit code and its message.

`python -m tests.bad_inputs` runs them all and writes docs/bad_inputs.md; `test_bad_inputs.py` runs
each again and holds it against its row.
"""
