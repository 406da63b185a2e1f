"""What the experiments and the study have given, for the pages that show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from annotator.catalog.export.markdown import is_number
from annotator.catalog.site.data import short, shorts
from annotator.judge.report import PUBLISHED

if TYPE_CHECKING:
    import pyarrow as pa

    from annotator.catalog.recorded import Recorded
    from annotator.judge.report import Report
    from annotator.judge.sums import Agreement, Share, Summary
    from annotator.validate.accuracies import Accuracies

TITLES = {
    "correlate": "Static against dynamic scores",
    "correlate-medians": "Medians over relations, beside the published ones",
    "variants": "Variants of the static score",
    "multi-token": "Sources of several tokens",
    "multi-token-medians": "Medians for sources of several tokens, beside the published ones",
    "ablate": "Accuracy as a relation's heads are silenced",
}
_SHARES = (
    *("matched", "invented_of_none", "accepted", "strict"),
    *("accepted_of_all", "strict_of_all", "same_category"),
)


def validation(recorded: Recorded) -> dict[str, Any]:
    """The experiments: tables as readers get them, and the numbers of the charts."""
    results = recorded.results
    tables = [
        {"id": name, "title": title, **_shown(results[name].shown)}
        for name, title in TITLES.items()
        if name in results
    ]
    charts = {
        key: _rows(results[name].numbers)
        for key, name in (
            *(("correlate", "correlate"), ("medians", "correlate-medians")),
            *(("multi_token", "multi-token"), ("multi_token_medians", "multi-token-medians")),
        )
        if name in results
    }
    return {"tables": tables, **charts, "ablations": list(map(_ablation, recorded.ablations))}


def study(reports: Mapping[str, Report], pseudonyms: Mapping[str, str]) -> list[dict[str, Any]]:
    """The human study, of each describer's descriptions.

    Args:
        reports: by the describer as exports name it.
        pseudonyms: of the raters, by name.
    """
    published = [asdict(one) for one in PUBLISHED]
    return [
        {
            "describer": describer,
            "items": report.items,
            "total": _summary(report.total),
            "quarters": [
                {"first": one.first, "last": one.last, **_summary(one.summary)}
                for one in report.quarters
            ],
            "raters": {pseudonyms[name]: _summary(one) for name, one in report.raters.items()},
            "others": {kind: _summary(one) for kind, one in report.others.items()},
            "agreement": {n: _agreement(one) for n, one in report.total.agreement.items()},
            "published": published,
        }
        for describer, report in reports.items()
    ]


def _shown(table: pa.Table) -> dict[str, Any]:
    columns = [{"name": one.name, "number": is_number(one.type)} for one in table.schema]
    rows = zip(*(column.to_pylist() for column in table.columns), strict=True)
    return {"columns": columns, "rows": [list(map(_plain, row)) for row in rows]}


def _rows(table: pa.Table) -> list[dict[str, Any]]:
    return [{name: _plain(value) for name, value in row.items()} for row in table.to_pylist()]


def _plain(value: Any) -> Any:
    return short(value) if isinstance(value, float) else value


def _ablation(one: Accuracies) -> dict[str, Any]:
    return {
        "relation": one.relation,
        "prompts": one.prompts,
        "base": short(one.base),
        "step": one.step,
        "own": shorts(one.curve),
        "random": shorts(one.random),
        "controls": [
            {"relation": o.relation, "base": short(o.base), "accuracy": short(o.accuracy)}
            for o in one.controls
        ],
        "reason": one.reason,
    }


def _summary(summary: Summary) -> dict[str, Any]:
    counts: Sequence[str] = ("items", "answered", "skipped")
    return {
        **{name: getattr(summary, name) for name in counts},
        "seconds": short(summary.seconds),
        "outcomes": {name: _share(one) for name, one in summary.outcomes.items()},
        "precision": dict(summary.precision),
        "category": dict(summary.category),
        **{name: _share(getattr(summary, name)) for name in _SHARES},
    }


def _share(share: Share) -> dict[str, Any]:
    low, high = share.interval or (None, None)
    numbers = {"share": short(share.share), "low": short(low), "high": short(high)}
    return {"count": share.count, "of": share.of, **numbers}


def _agreement(agreement: Agreement) -> dict[str, Any]:
    return {**_share(agreement.pairs), "items": agreement.items}
