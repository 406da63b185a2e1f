"""`annotator validate`: do static relation scores hold with the model in inference?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annotator.catalog.read import Catalog, open_catalog
from annotator.catalog.results import (
    Result,
    accuracy_result,
    correlation_result,
    difference_result,
    medians_result,
)
from annotator.catalog.validation import FOLDER
from annotator.paths import user_path
from annotator.pipeline.ablating import NO_PROMPT, ablating, asked_for, settings_of
from annotator.pipeline.correlating import (
    in_templates,
    not_valid,
    on_words,
    template_settings,
    word_settings,
)
from annotator.pipeline.experiment import Experiment, write_all

if TYPE_CHECKING:
    import pandas as pd

    from annotator.validate.accuracies import Accuracies
    from annotator.validate.differences import Difference
    from annotator.validate.report import Correlation, Medians


@dataclass(frozen=True)
class Correlated:
    """Static against dynamic scores.

    Attributes:
        model: what it is called.
        rows: a row for each relation (multi-token: and form of the source).
        medians: over relations, the published ones beside them.
        differences: of variants of the static score; empty where they were not asked for.
        absent: variants that this model does not have, and why.
        files: tables and figures that were written.
    """

    model: str
    rows: Sequence[Correlation]
    medians: Sequence[Medians]
    differences: Sequence[Difference] = ()
    absent: Mapping[str, str] = field(default_factory=dict[str, str])
    files: Sequence[Path] = ()

    def frame(self) -> pd.DataFrame:
        """A row for each relation, with every number to its last digit."""
        return correlation_result(self.rows).numbers.to_pandas()

    def _repr_html_(self) -> str:
        """Both tables, for notebooks."""
        tables = correlation_result(self.rows), medians_result(self.medians)
        return "".join(table.to_html(self.model) for table in tables)


@dataclass(frozen=True)
class Ablated:
    """What silencing a relation's heads did.

    Attributes:
        model: what it is called.
        rows: a row for each relation.
        files: tables and figures that were written.
    """

    model: str
    rows: Sequence[Accuracies]
    files: Sequence[Path] = ()

    def frame(self) -> pd.DataFrame:
        """A row for each relation, with every number to its last digit."""
        return accuracy_result(self.rows).numbers.to_pandas()

    def _repr_html_(self) -> str:
        """The table, for notebooks."""
        return accuracy_result(self.rows).to_html(self.model)


def correlate(
    catalog: Catalog | str | Path,
    relations: Sequence[str] | None = None,
    *,
    variants: bool = False,
    out: str | Path | None = None,
    **opening: Any,
) -> Correlated:
    """Correlate static scores with what heads write in prompts; a rerun goes on.

    Args:
        catalog: with relation scores, or its directory.
        relations: only these; None: all valid ones.
        variants: whether four variants of the static score are compared with it.
        out: directory for tables and figures; None: `validation/` within the catalog where all
            relations are wanted, else none is written.
        opening: model, revision, tokenizer, device and progress, as for `score_relations`.

    Raises:
        NoRelations: the catalog has no scores, or not of these.
        NotRun: transformers cannot run the model, or runs it otherwise than it is mapped.
        CatalogError: the catalog cannot be read or written; finished relations are kept.
        ModelError: the model is nowhere, or cannot be read.
    """
    from annotator.catalog.figures.validation import draw_correlations
    from annotator.validate.differences import differences
    from annotator.validate.report import correlations, medians

    of = _experiment(catalog, opening)
    wanted = of.wanted(relations)
    valid = [one for one in wanted if one.valid]
    table, facts = of.run("correlate", valid, partial(template_settings, of), in_templates(of))
    rows, name = correlations(table, facts | not_valid(wanted)), of.catalog.manifest.model["id"]
    results = {"correlate": correlation_result(rows)}
    found: Sequence[Difference] = ()
    absent: Mapping[str, str] = {}
    if variants:
        from annotator.pipeline.variants import score_variants

        scored, absent = score_variants(of, valid)
        found = differences(table, scored)
        results["variants"] = difference_result(found)
    over = medians(rows, name)
    results["correlate-medians"] = medians_result(over)
    files = _write(of, relations, out, results, partial(draw_correlations, table, rows))
    return Correlated(name, rows, over, found, absent, files)


def multi_token(
    catalog: Catalog | str | Path,
    relations: Sequence[str] | None = None,
    *,
    out: str | Path | None = None,
    **opening: Any,
) -> Correlated:
    """Correlate static scores with what heads write for sources of several tokens.

    Args and errors are those of `correlate`.
    """
    from annotator.catalog.figures.validation import draw_correlations
    from annotator.validate.report import FORMS, medians
    from annotator.validate.report import multi_token as correlations

    of = _experiment(catalog, opening)
    wanted = of.wanted(relations)
    valid = [one for one in wanted if one.valid]
    table, facts = of.run("multi_token", valid, partial(word_settings, of), on_words(of))
    rows, name = (
        correlations(table, facts | not_valid(wanted, FORMS)),
        of.catalog.manifest.model["id"],
    )
    over = medians(rows, name)
    results = {
        "multi-token": correlation_result(rows),
        "multi-token-medians": medians_result(over),
    }
    by_form = {form: [row for row in rows if row.form == form] for form in FORMS}

    def draw(folder: Path) -> list[Path]:
        drawn = [
            draw_correlations(table[table["form"] == form], some, folder, f"multi-token-{form}")
            for form, some in by_form.items()
        ]
        return [path for paths in drawn for path in paths]

    return Correlated(name, rows, over, files=_write(of, relations, out, results, draw))


def ablate(
    catalog: Catalog | str | Path,
    relations: Sequence[str] | None = None,
    *,
    seed: int = 0,
    out: str | Path | None = None,
    **opening: Any,
) -> Ablated:
    """Silence each relation's heads at the last position, and see what the model still knows.

    Args:
        catalog: with relation scores, or its directory.
        relations: only these; None: all that have a prompt.
        seed: of the random heads, and of the order of control relations.
        out: directory for tables and figures; None: `validation/` within the catalog where all
            relations are wanted, else none is written.
        opening: model, revision, tokenizer, device and progress, as for `score_relations`.

    Raises:
        What `correlate` raises.
    """
    from annotator.catalog.figures.validation import draw_ablations
    from annotator.validate.accuracies import accuracies

    of = _experiment(catalog, opening)
    wanted = of.wanted(relations)
    table, facts = of.run("ablate", asked_for(wanted), settings_of(of, seed), ablating(of, seed))
    facts |= not_valid([one for one in wanted if one.relation.prompt])
    if relations:
        facts |= {one.name: {"reason": NO_PROMPT} for one in wanted if not one.relation.prompt}
    rows = accuracies(table, facts)
    results = {"ablate": accuracy_result(rows)}
    files = _write(of, relations, out, results, partial(draw_ablations, rows))
    return Ablated(of.catalog.manifest.model["id"], rows, files)


def _experiment(catalog: Catalog | str | Path, opening: Mapping[str, Any]) -> Experiment:
    opened = catalog if isinstance(catalog, Catalog) else open_catalog(catalog)
    return Experiment(opened, **opening)


def _write(
    of: Experiment,
    relations: Sequence[str] | None,
    out: str | Path | None,
    results: Mapping[str, Result],
    draw: Callable[[Path], list[Path]],
) -> list[Path]:
    """Where no directory is named, tables of some relations do not replace those of all."""
    if relations and out is None:
        return []
    return write_all(of.catalog.folder / FOLDER if out is None else user_path(out), results, draw)
