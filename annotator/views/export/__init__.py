"""What others load: `tables` says what is exported, `registry` as which kinds of files.

One file per format of table, the same verb in each: `write(table, file)`. `hf` makes a dataset of
them.
"""
