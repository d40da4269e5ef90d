"""Dagster definitions of the stage `tables`."""
