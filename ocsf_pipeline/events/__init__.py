"""Records and decisions become whole, valid OCSF events, as Polars expressions."""
