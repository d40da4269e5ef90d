"""Dagster definitions of the stage `schema`."""
