"""The benchmarks: `python -m ocsf_pipeline.bench` prints one JSON document.

Belongs here: made-up hours of logs, the real steps timed over them, yardsticks beside them. Does
not belong here: any faster or simpler copy of the work that is measured.
"""
