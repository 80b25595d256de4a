"""Benchmarks: quotes over HTTP beside peers, growth, imports, lists, scoring and online learning."""
