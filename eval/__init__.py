"""Offline evaluation protocols, benchmarks and reports."""
