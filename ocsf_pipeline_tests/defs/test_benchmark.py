"""The asset `classification_benchmark`: figures and pictures as metadata, a check that can fail."""

from __future__ import annotations

import dagster as dg

from ocsf_pipeline_tests.fakes.pipeline import Pipeline


def test_few_packs_fail_the_check_and_not_the_run(
    pipeline: Pipeline, instance: dg.DagsterInstance
) -> None:
    result = pipeline.definitions.resolve_implicit_global_asset_job_def().execute_in_process(
        instance=instance, asset_selection=[dg.AssetKey("classification_benchmark")]
    )
    assert result.success
    [event] = result.asset_materializations_for_node("classification_benchmark")
    for name in ("reliability", "coverage", "classes"):
        picture = event.metadata[name].value
        assert isinstance(picture, str)
        assert picture.startswith(f"![{name}](data:image/svg+xml;base64,")
    assert "## Confusions" in str(event.metadata["report"].value)
    assert event.metadata["products"].value > 100
    [check] = result.get_asset_check_evaluations()
    assert check.check_name == "no_regression"
    assert not check.passed
    assert "| top1 |" in str(check.metadata["compared"].value)
    assert "worse" in str(check.metadata["compared"].value)
