"""`annotator validate`: do static relation scores hold with the model in inference?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annotator.catalog.experiment_shards import VALIDATION_FOLDER
from annotator.catalog.read import Catalog, open_catalog
from annotator.errors import MissingExtra
from annotator.paths import user_path
from annotator.pipeline.progress import say
from annotator.pipeline.run_experiment import ExperimentRunner
from annotator.records.figure import Figure
from annotator.records.table import Table
from annotator.validate.registry import experiment
from annotator.views.export.folder import together
from annotator.views.export.result_tables import numbers, to_html, write_result

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Findings:
    """What experiments came to.

    Attributes:
        heading: what was done, with which model.
        tables: by name, the main one first.
        files: tables and figures that were written.
    """

    heading: str
    tables: Mapping[str, Table]
    files: Sequence[Path] = ()

    def frame(self, name: str | None = None) -> pd.DataFrame:
        """A table, with every number to its last digit.

        Args:
            name: which; None: the main one.
        """
        return numbers(self.tables[name or next(iter(self.tables))]).to_pandas()

    def _repr_html_(self) -> str:
        """All tables, for notebooks."""
        return "".join(to_html(table, self.heading) for table in self.tables.values())


def correlate(
    catalog: Catalog | str | Path,
    relations: Sequence[str] | None = None,
    *,
    variants: bool = False,
    **how: Any,
) -> Findings:
    """Correlate static scores with what heads write in prompts; a rerun goes on.

    Args:
        catalog: with relation scores, or its directory.
        relations: only these; None: all valid ones.
        variants: whether four variants of the static score are compared with it.
        how: `out`, `bom` and what opens the model, as for `run_experiments`; its errors are raised.
    """
    names = ["correlate", "variants"] if variants else ["correlate"]
    return run_experiments(catalog, names, relations, **how)


def multi_token(
    catalog: Catalog | str | Path, relations: Sequence[str] | None = None, **how: Any
) -> Findings:
    """Correlate static scores with what heads write for sources of several tokens.

    Args and errors are those of `correlate`.
    """
    return run_experiments(catalog, ["multi_token"], relations, **how)


def ablate(
    catalog: Catalog | str | Path,
    relations: Sequence[str] | None = None,
    *,
    seed: int = 0,
    **how: Any,
) -> Findings:
    """Ablate each relation's heads at the last position, and see what the model still knows.

    Args:
        catalog: with relation scores, or its directory.
        relations: only these; None: all that have a prompt.
        seed: of the random heads, and of the order of control relations.
        how: `out`, `bom` and what opens the model, as for `run_experiments`; its errors are raised.
    """
    return run_experiments(catalog, ["ablate"], relations, options={"seed": seed}, **how)


def run_experiments(
    catalog: Catalog | str | Path,
    names: Sequence[str],
    relations: Sequence[str] | None = None,
    *,
    out: str | Path | None = None,
    bom: bool = False,
    options: Mapping[str, int] | None = None,
    **opening: Any,
) -> Findings:
    """Run experiments on a catalog's relations; a rerun goes on.

    Args:
        catalog: with relation scores, or its directory.
        names: of the experiments; one that stands beside another comes after it.
        relations: only these; None: all that the experiments take.
        out: directory for tables and figures; None: `validation/` within the catalog where all
            relations are wanted, else none is written.
        bom: whether CSV files begin with a byte order mark, by which Excel knows UTF-8.
        options: of the experiments; what is not given has its default.
        opening: model, revision, tokenizer, device and progress, as for `score_relations`.

    Raises:
        SettingInvalid: no such experiment.
        NoRelations: the catalog has no scores, or not of these.
        NotRun: transformers cannot run the model, or runs it otherwise than it is mapped.
        CatalogError: the catalog cannot be read or written; finished relations are kept.
        ModelError: the model is nowhere, or cannot be read.
    """
    from annotator.views.figures.panels import draw_panels

    opened = open_catalog(catalog)
    runner, named = ExperimentRunner(opened, options or {}, **opening), bool(relations)
    found, wanted = list(map(experiment, names)), runner.wanted(relations)
    tables: list[Table] = []
    figures: list[Figure] = []
    written = out is not None or not named
    for one in found:
        runner.run(one, wanted, named=named)
        sums = runner.sums(one, wanted, named=named)
        tables += sums.tables
        if written:
            figures += one.figures(runner.kept(one, wanted, named=named), sums.tables)
    folder = opened.folder / VALIDATION_FOLDER if out is None else user_path(out)
    draw = partial(draw_panels, figures)
    files = write_all(folder, tables, draw, bom=bom) if written else []
    heading = found[0].heading.format(model=runner.called)
    return Findings(heading, {table.name: table for table in tables}, files)


def write_all(
    folder: Path,
    tables: Iterable[Table],
    draw: Callable[[Path], list[Path]],
    *,
    bom: bool = False,
) -> list[Path]:
    """Write tables, and figures where matplotlib is there: all of them, or none.

    Args:
        folder: where.
        tables: what is written of numbers.
        draw: draws the figures into a folder.
        bom: whether CSV files begin with a byte order mark.

    Returns:
        The files written.

    Raises:
        CatalogUnwritable: the disk is full, or a path cannot be written.
    """
    with together(folder, say) as part:
        files = [path for table in tables for path in write_result(part, table, bom=bom)]
        try:
            files += draw(part)
        except MissingExtra as missing:
            say(f"No figures: {missing}")
        names = [path.relative_to(part) for path in files]
    return [folder / name for name in names]
