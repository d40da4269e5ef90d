"""Dagster definitions of the stage `logs`."""
