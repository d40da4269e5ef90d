"""Turns raw security logs of any product into classified, valid OCSF events in ClickHouse.

The path of a log, one package per stage:

    schema     the OCSF schema, fetched, verified, parsed into a typed model
    knowledge  what the knowledge base should hold: class chunks, source packs, labelled examples
    logs       objects of an hour -> normalised records with a template id, or quarantine
    classify   each new template -> an OCSF class with a confidence, candidates and evidence
    events     records + decisions -> whole, valid OCSF events, as Polars expressions
    tables     events -> ClickHouse: DDL, rows, views, retention, overrides

Stages are pure: they know nothing of Dagster, of clients, of the environment or of the clock.
`ports` names what they need from outside, `adapters` provide it, `opening` chooses the adapters
from settings, `resources` and `defs` hand them to Dagster, and `cli` is a thin front over the same
functions.
"""

from ocsf_pipeline.memory import keep_freed_memory
from ocsf_pipeline.threads import let_waiting_threads_sleep

# Before any other module loads Polars, chDB or torch: they read such options once.
keep_freed_memory()
let_waiting_threads_sleep()
