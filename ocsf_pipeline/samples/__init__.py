"""Sample logs written for this project, with labels, and the hourly drops that `make demo` lands.

Belongs here: the logs (`labels.jsonl`), their containers, the broken objects. Does not belong here:
what the pipeline does with them. All names are invented; all addresses are documentation ranges or
private.
"""
