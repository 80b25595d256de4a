"""Benchmarks of quotes over HTTP, scoring and online learning."""
