"""Measurements of the verifier: what it finds, and what it accuses."""
