from __future__ import annotations

import pandas as pd

from annotator.catalog.read import Catalog
from annotator.pipeline.experiment_results import read_results


def rows_of(catalog: Catalog) -> dict[str, pd.DataFrame]:
    """What experiments gave each head, by the experiment's name."""
    return {one.experiment.name: one.rows for one in read_results(catalog, progress=False)}
