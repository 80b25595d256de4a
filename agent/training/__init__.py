"""Outcomes to new model versions."""
