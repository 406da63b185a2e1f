"""One directory per model.

catalog.json         what was mapped, how, with which versions
maps.parquet         a row per head, source and target
signatures.parquet   a row per head
building/            while being built: a shard of each table per finished group of layers
"""
