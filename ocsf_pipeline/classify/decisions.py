"""The shape of a decision: what the classify stage says of one template.

Belongs here: column names, types and their meaning. Does not belong here: how to decide.
"""

from __future__ import annotations

import polars as pl

DECISION_SCHEMA = pl.Schema(
    {
        "template_id": pl.String,
        "class_uid": pl.Int64,
        "class_name": pl.String,  # caption, e.g. "Authentication"
        "category_uid": pl.Int64,
        "activity_id": pl.Int64,
        "type_uid": pl.Int64,
        "confidence": pl.Float64,  # between 0 and 1
        "status": pl.String,  # accepted, review, overridden
        "candidates": pl.String,  # JSON: [{class_uid, class_name, score}], best first, at most 5
        "evidence": pl.String,  # JSON: [{kind, text, weight}]: fields and examples that decided
        "schema_version": pl.String,
        "knowledge_version": pl.String,
        # The ranker's version; "+<re-ranker>" follows where one was asked, and ":failed" or
        # ":unanswered" where it gave no answer (`rerank.spell_version`).
        "ranker_version": pl.String,
        # What the decision was made from, kept for explanation and for deciding again:
        "query": pl.String,
        "format": pl.String,
        "vendor": pl.String,
        "product": pl.String,
        "sample_fields": pl.String,
        "sample_raw": pl.String,
    }
)
