"""Each new template gets an OCSF class with a confidence, candidates and evidence."""
