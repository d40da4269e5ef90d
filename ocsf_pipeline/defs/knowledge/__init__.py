"""Dagster definitions of the stage `knowledge`."""
