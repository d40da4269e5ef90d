-- An analyst's decision. Append-only: an undo is a row that names what it undoes.
CREATE TABLE IF NOT EXISTS overrides
(
    override_id String,
    created_at DateTime64(6, 'UTC'),
    scope LowCardinality(String),
    event_uid String,
    template_ids Array(String),
    source LowCardinality(String),
    event_type String,
    class_uid UInt32,
    class_name LowCardinality(String),
    category_uid UInt32,
    category_name LowCardinality(String),
    activity_id Int32,
    activity_name LowCardinality(String),
    type_uid UInt64,
    author String,
    reason String,
    undoes String
)
ENGINE = MergeTree
ORDER BY (created_at, override_id);
