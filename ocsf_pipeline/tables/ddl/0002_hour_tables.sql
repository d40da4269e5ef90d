-- What could not be read, with its bytes.
CREATE TABLE IF NOT EXISTS quarantine
(
    object_key LowCardinality(String),
    hour DateTime('UTC'),
    position UInt64,
    offset_bytes UInt64,
    reason LowCardinality(String),
    size_bytes UInt64,
    bytes String CODEC(ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY hour
ORDER BY (object_key, position);

-- One row per object of an hour: read = classified + review + quarantined.
CREATE TABLE IF NOT EXISTS batches
(
    object_key String,
    object_version String,
    hour DateTime('UTC'),
    size_bytes UInt64,
    read_count UInt64,
    classified_count UInt64,
    review_count UInt64,
    quarantined_count UInt64,
    digest String
)
ENGINE = MergeTree
PARTITION BY hour
ORDER BY object_key;

-- Who opened, committed or gave up a replacement of an hour; kept for the order of two runs of one
-- hour and for finding out who wrote what.
CREATE TABLE IF NOT EXISTS hour_writes
(
    hour DateTime('UTC'),
    token String,
    run_id String,
    opened_at DateTime64(6, 'UTC'),
    action LowCardinality(String),
    at DateTime64(6, 'UTC') DEFAULT now64(6),
    events UInt64,
    quarantine UInt64,
    batches UInt64
)
ENGINE = MergeTree
ORDER BY (hour, at)
TTL toDateTime(at) + INTERVAL 90 DAY;
