"""An evaluation as Markdown or HTML, for people.

Belongs here: tables, and pictures' places in them. Does not belong here: measuring, drawing, files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ocsf_pipeline.classify.evaluate import Accuracy, Report
from ocsf_pipeline.steps.reports import format_table

_TITLES = {
    "reliability": "Calibration",
    "coverage": "Coverage",
    "classes": "Class",
}


def list_figures(report: Report) -> list[tuple[str, float | None]]:
    """Return the figures that matter first, by name."""
    return [
        ("top-1", report.overall.top1),
        ("top-3", report.overall.top3),
        ("top-5", report.overall.top5),
        ("top-1, strict", report.overall.top1_strict),
        ("macro F1", report.macro_f1),
        ("expected calibration error", report.calibration_error),
        ("accepted", report.accepted_share),
        ("right among accepted", report.accepted_accuracy),
        (f"activity right ({report.activity_count} known)", report.activity_accuracy),
        *((f"coverage at {item.precision:.0%} precision", item.coverage)
          for item in report.coverage),
    ]  # fmt: skip


def list_yardsticks(report: Report) -> list[tuple[str, float, float | None]]:
    """Return this run and what it is held against: (name, top-1, top-3)."""
    ours = ("this run", report.overall.top1, report.overall.top3)
    return [
        ours,
        *(
            (item.name if item.is_measured else f"{item.name} (published)", item.top1, item.top3)
            for item in report.yardsticks
        ),
    ]


def format_report(
    report: Report, class_names: Mapping[int, str], pictures: Mapping[str, str] | None = None
) -> str:
    """Return the whole report as Markdown; `pictures`: Markdown by name of `draw_report`.

    The text of labels stands in cells only and cannot become markup.
    """
    shown = pictures or {}

    def name(uid: int) -> str:
        return f"{class_names.get(uid, 'unreadable')} ({uid})"

    sections = [
        ("Overall", _table(("figure", "value"), [("labels", report.overall.count),
                                                 *list_figures(report)])),
        ("Yardsticks", _table(("", "top-1", "top-3"), list_yardsticks(report))),
        ("Coverage", _table(
            ("precision", "accepted", "from confidence"),
            [(item.precision, item.coverage, item.threshold) for item in report.coverage],
        )),
        ("Calibration", _table(
            ("confidence", "labels", "mean confidence", "right"),
            [(f"{item.low:.1f} to {item.high:.1f}", item.count, item.mean_confidence, item.accuracy)
             for item in report.bins],
        )),
        ("Confusions", _table(
            ("expected", "decided", "labels", "products"),
            [(name(item.expected), name(item.predicted), item.count, ", ".join(item.sources))
             for item in report.confusions],
        )),
        ("Format", _table_groups("format", report.by_format)),
        ("Class", _table_groups("class", {name(k): v for k, v in report.by_class.items()})),
        ("Product", _table_groups("product", report.by_source)),
    ]  # fmt: skip
    by_title = {_TITLES[key]: picture for key, picture in shown.items() if key in _TITLES}
    return "\n\n".join(
        "\n\n".join(filter(None, (f"## {title}", by_title.get(title, ""), table)))
        for title, table in sections
    )


def _table_groups(title: str, groups: Mapping[str, Accuracy]) -> str:
    rows = [
        (key or "(none)", item.count, item.top1, item.top3, item.top1_strict)
        for key, item in groups.items()
    ]
    return _table((title, "labels", "top-1", "top-3", "top-1, strict"), rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    cells = [["n/a" if cell is None else cell for cell in row] for row in rows]
    return format_table(head, cells)
