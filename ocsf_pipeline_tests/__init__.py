"""Tests of ocsf_pipeline, one folder per stage."""
