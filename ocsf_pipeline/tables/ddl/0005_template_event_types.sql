-- How a product names its events, so that an override of an event type reaches templates that are
-- met later.
ALTER TABLE templates ADD COLUMN IF NOT EXISTS source LowCardinality(String) AFTER template_id;

ALTER TABLE templates ADD COLUMN IF NOT EXISTS event_types Array(String) AFTER source;
