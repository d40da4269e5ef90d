"""Objects of an hour become normalised records with a template id, or quarantine."""
