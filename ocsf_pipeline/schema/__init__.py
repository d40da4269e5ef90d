"""The OCSF schema: a typed model, parsed from an export."""
