"""Evaluation of pricing policies on simulated shops with known demand."""
