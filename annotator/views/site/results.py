"""What the experiments and the study have given, for the pages that show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from annotator.judge.aggregate import SHARE_WORDS
from annotator.judge.report import PUBLISHED_STUDY
from annotator.records.table import INTERVAL, Chart, Table
from annotator.views.export.markdown import is_number
from annotator.views.export.result_tables import shown
from annotator.views.site.data import short

if TYPE_CHECKING:
    from annotator.catalog.summed_results import Sums
    from annotator.judge.aggregate import Agreement, Share, Summary
    from annotator.judge.report import Report


def validation(found: Sequence[Sums]) -> list[dict[str, Any]]:
    """The experiments: tables as readers get them, and the numbers of charts and figures."""
    return [
        {
            "title": one.tables[0].title,
            "tables": list(map(_table, one.tables)),
            "figures": [asdict(figure) for figure in one.figures],
        }
        for one in found
    ]


def study(reports: Mapping[str, Report], pseudonyms: Mapping[str, str]) -> list[dict[str, Any]]:
    """The human study, of each describer's descriptions.

    Args:
        reports: by the describer as exports name it.
        pseudonyms: of the raters, by name.
    """
    published = [asdict(one) for one in PUBLISHED_STUDY]
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


def _table(table: Table) -> dict[str, Any]:
    """A table for readers; the rows that show at first are the first ones."""
    content = shown(table)
    columns = [{"name": one.name, "number": is_number(one.type)} for one in content.schema]
    rows = list(zip(*(column.to_pylist() for column in content.columns), strict=True))
    order = sorted(range(len(rows)), key=lambda row: row not in table.lead)
    return {
        **{"title": table.title, "about": table.about, "columns": columns},
        "rows": [list(map(_plain, rows[row])) for row in order],
        "first": len(table.lead) or None,
        "chart": None if table.chart is None else _chart(table, table.chart),
    }


def _chart(table: Table, chart: Chart) -> dict[str, Any]:
    """A chart's rows, by group; one without any number is left out."""
    names = table.columns[0].values
    groups = table.column(table.group).values if table.group else [None] * len(names)
    values = {key: table.column(key).values for key in chart.series}
    ends = {column.name: column.values for column in table.columns if column.kind == INTERVAL}
    rows = [
        {
            "name": name,
            "group": group,
            **{key: _measured(own[row], ends[key][row]) for key, own in values.items()},
        }
        for row, (name, group) in enumerate(zip(names, groups, strict=True))
        if any(own[row] is not None for own in values.values())
    ]
    titles = {group: f"{group} {table.group}" if table.group else "" for group in groups}
    return {
        **{"title": chart.title, "axis": chart.axis, "series": dict(chart.series)},
        "groups": [
            {"title": title, "rows": [row for row in rows if row["group"] == group]}
            for group, title in titles.items()
        ],
    }


def _measured(value: float | None, ends: Sequence[float] | None) -> dict[str, Any]:
    low, high = ends or (None, None)
    return {"value": short(value), "low": short(low), "high": short(high)}


def _plain(value: Any) -> Any:
    return short(value) if isinstance(value, float) else value


def _summary(summary: Summary) -> dict[str, Any]:
    counts: Sequence[str] = ("items", "answered", "skipped")
    return {
        **{name: getattr(summary, name) for name in counts},
        "seconds": short(summary.seconds),
        "outcomes": {name: _share(one) for name, one in summary.outcomes.items()},
        "precision": dict(summary.precision),
        "category": dict(summary.category),
        **{name: _share(getattr(summary, name)) for name in SHARE_WORDS},
    }


def _share(share: Share) -> dict[str, Any]:
    low, high = share.interval or (None, None)
    numbers = {"share": short(share.share), "low": short(low), "high": short(high)}
    return {"count": share.count, "of": share.of, **numbers}


def _agreement(agreement: Agreement) -> dict[str, Any]:
    return {**_share(agreement.pairs), "items": agreement.items}
