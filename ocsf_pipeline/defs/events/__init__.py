"""Dagster definitions of the stage `events`."""
