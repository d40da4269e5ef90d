"""Dagster definitions only: assets, checks, partitions, sensors, schedules."""
