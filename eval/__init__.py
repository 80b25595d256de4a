"""Offline protocols, benchmarks and reports."""
