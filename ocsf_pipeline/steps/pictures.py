"""Pictures of an evaluation, as SVG: drawn by matplotlib without a display.

Belongs here: drawing. Does not belong here: measuring (`classify.evaluate`), where pictures go.
matplotlib because its SVG needs no script, no browser and no network to be looked at, and its text
stays text. It takes half a second to import, so it is imported when the first picture is drawn.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ocsf_pipeline.classify.evaluate import Accuracy, CalibrationBin, Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BLUE, _ORANGE, _GREY = "#2b6cb0", "#dd6b20", "#a0aec0"
_MAX_BARS = 60


def draw_report(report: Report, class_names: Mapping[int, str]) -> dict[str, str]:
    """Return the SVG texts of a report by name: reliability, coverage, classes."""
    return {
        "reliability": draw_reliability(report.bins, report.calibration_error),
        "coverage": draw_coverage(report),
        "classes": draw_classes(report.by_class, class_names),
    }


def draw_reliability(bins: Sequence[CalibrationBin], error: float) -> str:
    """Return the reliability diagram: how often answers of a confidence were right."""
    figure, axes = _start(5.2, 4.2)
    used = [item for item in bins if item.count]
    axes.plot([0, 1], [0, 1], "--", color=_GREY, label="perfect")
    axes.bar(
        [item.mean_confidence for item in used], [item.accuracy for item in used],
        width=0.06, color=_BLUE, alpha=0.75, label="right",
    )  # fmt: skip
    for item in used:
        axes.annotate(
            str(item.count), (item.mean_confidence, item.accuracy), ha="center", va="bottom",
            fontsize=7,
        )  # fmt: skip
    axes.set(
        title=f"Reliability: calibration error {error:.3f}", xlabel="confidence",
        ylabel="share right (number: logs)", xlim=(0, 1.03), ylim=(0, 1.08),
    )  # fmt: skip
    axes.legend(loc="upper left", frameon=False)
    return _finish(figure)


def draw_coverage(report: Report) -> str:
    """Return how right the accepted answers are when more and more are accepted."""
    figure, axes = _start(5.2, 4.2)
    axes.plot([x for x, _ in report.curve], [y for _, y in report.curve], color=_BLUE)
    for item in report.coverage:
        axes.axhline(item.precision, color=_GREY, linewidth=0.6, linestyle=":")
        axes.plot([item.coverage], [item.precision], "o", color=_ORANGE)
        axes.annotate(
            f"{item.precision:.0%}: {item.coverage:.0%} accepted", (item.coverage, item.precision),
            textcoords="offset points", xytext=(5, -9), fontsize=7,
        )  # fmt: skip
    lowest = min((right for _, right in report.curve), default=0.0)
    axes.set(
        title="Accepted without a person", xlabel="share accepted, surest first",
        ylabel="share right of the accepted", xlim=(0, 1.02), ylim=(min(0.8, lowest - 0.03), 1.01),
    )  # fmt: skip
    return _finish(figure)


def draw_classes(by_class: Mapping[int, Accuracy], class_names: Mapping[int, str]) -> str:
    """Return top-1 and top-3 per class, the weakest first."""
    ordered = sorted(by_class.items(), key=lambda item: (item[1].top1, item[1].top3, item[0]))
    shown = ordered[:_MAX_BARS][::-1]
    figure, axes = _start(6.4, 0.8 + 0.16 * len(shown))
    places = range(len(shown))
    axes.barh(places, [item.top3 for _, item in shown], color=_GREY, height=0.7, label="top-3")
    axes.barh(places, [item.top1 for _, item in shown], color=_BLUE, height=0.7, label="top-1")
    axes.set_yticks(
        places, [f"{class_names.get(uid, uid)} ({item.count})" for uid, item in shown], fontsize=6
    )
    axes.set(title="Right per class (logs)", xlim=(0, 1.0), ylim=(-0.6, len(shown) - 0.4))
    axes.legend(loc="lower left", fontsize=7)
    return _finish(figure)


def embed_picture(svg: str, name: str) -> str:
    """Return Markdown that carries a picture in itself, as Dagster's UI shows it."""
    body = base64.b64encode(svg.encode()).decode()
    return f"![{name}](data:image/svg+xml;base64,{body})"


def _start(width: float, height: float) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    return figure, axes


def _finish(figure: Figure) -> str:
    import matplotlib

    buffer = io.StringIO()
    # Equal figures give equal bytes: no date, no random ids; text stays text.
    with matplotlib.rc_context({"svg.hashsalt": "ocsf", "svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    return svg[svg.index("<svg") :]
