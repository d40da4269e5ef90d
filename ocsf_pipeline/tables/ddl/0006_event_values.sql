-- Whole events of rows that are there already; an empty form makes them what they were. Alone in
-- its file: it must not run again once 0007 has made another column `event`.
ALTER TABLE events RENAME COLUMN IF EXISTS event TO event_values;
