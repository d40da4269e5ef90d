"""Dagster definitions of the stage `classify`."""
