"""The asset `classification_benchmark` of the stage `classify`, and its check.

Belongs here: turning a report into metadata and a verdict. Does not belong here: measuring and
drawing (`steps`).
"""

from collections.abc import Mapping

import dagster as dg

from ocsf_pipeline.classify.evaluate import Report
from ocsf_pipeline.defs.common import OWNERS, retry_transient_only
from ocsf_pipeline.ports import ClassIndex, Embedder, ObjectStore
from ocsf_pipeline.settings import Settings
from ocsf_pipeline.steps.benchmark import compare_with_baseline, pick_figures, run_benchmark
from ocsf_pipeline.steps.classify import load_decider
from ocsf_pipeline.steps.evaluation_report import format_report, list_figures
from ocsf_pipeline.steps.pictures import draw_report, embed_picture
from ocsf_pipeline.steps.reports import format_table


@dg.asset(
    group_name="classify", kinds={"python"}, owners=OWNERS, code_version="1",
    deps=["class_ranker"],
    check_specs=[
        dg.AssetCheckSpec(
            "no_regression", asset="classification_benchmark",
            description="No figure is worse than the committed baseline allows.",
        )
    ],
)  # fmt: skip
@retry_transient_only
def classification_benchmark(
    artefacts: dg.ResourceParam[ObjectStore],
    class_index: dg.ResourceParam[ClassIndex],
    embedder: dg.ResourceParam[Embedder],
    settings: dg.ResourceParam[Settings],
) -> dg.MaterializeResult:  # type: ignore[type-arg]  # a parameter hides the checks
    """How well the ranker in force does on products that it has no source pack of."""
    decider = load_decider(artefacts, class_index, embedder, settings.accept_threshold)
    report = run_benchmark(decider)
    names = {uid: item.caption for uid, item in decider.schema.classes_by_uid.items()}
    return dg.MaterializeResult(
        metadata=_describe_benchmark(report, names), check_results=[_check_benchmark(report)]
    )


def _describe_benchmark(
    report: Report, class_names: Mapping[int, str]
) -> dict[str, dg.MetadataValue]:
    figures = [(name, "n/a" if value is None else value) for name, value in list_figures(report)]
    pictures = draw_report(report, class_names)
    return {
        "logs": dg.MetadataValue.int(report.overall.count),
        "products": dg.MetadataValue.int(len(report.by_source)),
        **{name: dg.MetadataValue.float(value) for name, value in pick_figures(report).items()},
        "figures": dg.MetadataValue.md(format_table(("figure", "value"), figures)),
        **{name: dg.MetadataValue.md(embed_picture(svg, name)) for name, svg in pictures.items()},
        "report": dg.MetadataValue.md(format_report(report, class_names)),
    }


def _check_benchmark(report: Report) -> dg.AssetCheckResult:
    compared = compare_with_baseline(report)
    rows = [
        (item.name, item.measured, item.baseline, item.limit, "worse" if item.is_regression else "")
        for item in compared
    ]
    return dg.AssetCheckResult(
        check_name="no_regression",
        passed=not any(item.is_regression for item in compared),
        metadata={
            "compared": dg.MetadataValue.md(
                format_table(("figure", "measured", "baseline", "limit", ""), rows)
            ),
            "what_to_do": "A ranker, packs or an embedding model of your own move the figures; "
            "keep them by `ocsf-pipeline evaluate --baseline FILE` only when you meant to.",
        },
    )
