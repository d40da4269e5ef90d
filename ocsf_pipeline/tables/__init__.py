"""ClickHouse: DDL, row shapes, views for analysts, retention, overrides."""
