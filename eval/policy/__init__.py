"""Pricing policies on simulators with known truth."""
