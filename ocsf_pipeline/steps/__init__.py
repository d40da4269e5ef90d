"""What one materialisation does: read through ports, call the stages, write through ports.

One module per stage, one function per asset. Belongs here: the order of reading and writing, where
artefacts lie, skipping what is up to date. Does not belong here: Dagster (`defs` calls these
functions and reports), decisions about content (the stages), outside systems (`adapters`).
"""
