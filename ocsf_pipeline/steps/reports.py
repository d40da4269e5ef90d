"""What a person would rather look at than read: tables, bars and histograms in Markdown.

Belongs here: rendering counts for asset metadata and the demo. Does not belong here: counting.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ocsf_pipeline.schema.changes import SchemaChanges

_BAR = "█"
_EIGHTHS = " ▏▎▍▌▋▊▉"
_BAR_CELLS = 24
_MAX_CELL_CHARS = 200


def format_table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table; cells are cut to one line and cannot break out of it."""
    lines = [_row(head), _row(["---"] * len(head))]
    lines.extend(_row(cells) for cells in rows)
    return "\n".join(lines)


def _row(cells: Sequence[object]) -> str:
    return "| " + " | ".join(_cell(cell) for cell in cells) + " |"


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    text = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
    # Logs are written by attackers: nothing in a cell may become markup.
    plain = " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;").replace("`", "'")
    return plain[:_MAX_CELL_CHARS]


def draw_bar(share: float) -> str:
    """Return a bar of up to 24 cells for a share between 0 and 1."""
    cells = max(0.0, min(1.0, share)) * _BAR_CELLS
    whole = int(cells)
    part = _EIGHTHS[int((cells - whole) * 8)]
    return (_BAR * whole + part).rstrip() or "▏"


def chart_counts(counts: Mapping[str, int], head: str, limit: int = 20) -> str:
    """Return counts as a Markdown table with bars, largest first."""
    total = sum(counts.values()) or 1
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    rows = [(name, count, draw_bar(count / total)) for name, count in ordered[:limit]]
    rest = sum(count for _name, count in ordered[limit:])
    if rest:
        rows.append((f"{len(ordered) - limit} others", rest, draw_bar(rest / total)))
    return format_table((head, "count", "share"), rows)


def chart_histogram(bins: Sequence[int], low: float = 0.0, high: float = 1.0) -> str:
    """Return a histogram over equal bins between `low` and `high` as a Markdown table."""
    most = max(bins, default=0) or 1
    step = (high - low) / max(1, len(bins))
    rows = [
        (f"{low + step * place:.2f} to {low + step * (place + 1):.2f}", count,
         draw_bar(count / most) if count else "")
        for place, count in enumerate(bins)
    ]  # fmt: skip
    return format_table(("confidence", "events", ""), rows)


def describe_changes(changes: SchemaChanges | None) -> str:
    """Return what changed between two releases of the schema, as Markdown tables."""
    if changes is None:
        return "the same release as before"
    classes = [
        *((name, "added") for name in changes.classes_added),
        *((name, "removed") for name in changes.classes_removed),
        *((name, f"deprecated: {after or '?'}") for name, after in changes.classes_deprecated),
    ]
    return "\n\n".join(
        [
            f"OCSF {changes.before} to {changes.after}",
            format_table(("what", "number"), changes.counts.items()),
            format_table(("class", "change"), classes),
        ]
    )
