-- The constant text of events, once per kind of event; docs/decisions/0018-events-as-forms.md.
ALTER TABLE events ADD COLUMN IF NOT EXISTS event_form LowCardinality(String) AFTER message;

-- The whole OCSF event as JSON text, without raw_data: form and values put together when it is read.
-- `SELECT *` leaves it out; name it.
ALTER TABLE events ADD COLUMN IF NOT EXISTS event String ALIAS arrayStringConcat(arrayMap((form, value) -> concat(form, value), splitByChar('\0', event_form), splitByChar('\0', event_values))) AFTER event_values;
