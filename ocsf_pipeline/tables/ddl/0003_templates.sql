-- One template and what was decided of it; the newest row of a template_id counts. Read it through
-- the view current_templates, which also counts its events.
CREATE TABLE IF NOT EXISTS templates
(
    template_id String,
    class_uid UInt32,
    class_name LowCardinality(String),
    category_uid UInt32,
    activity_id Int32,
    type_uid UInt64,
    confidence Float64,
    status LowCardinality(String),
    candidates String CODEC(ZSTD(1)),
    evidence String CODEC(ZSTD(1)),
    schema_version LowCardinality(String),
    knowledge_version LowCardinality(String),
    ranker_version LowCardinality(String),
    query String CODEC(ZSTD(1)),
    format LowCardinality(String),
    vendor LowCardinality(String),
    product LowCardinality(String),
    sample_fields String CODEC(ZSTD(1)),
    sample_raw String CODEC(ZSTD(1)),
    updated_at DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = ReplacingMergeTree(updated_at)
ORDER BY template_id;
