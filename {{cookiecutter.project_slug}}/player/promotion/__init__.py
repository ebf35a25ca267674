"""Promotion: a model moves from development to production, past gates, on record. Uses storage/ and model/."""
