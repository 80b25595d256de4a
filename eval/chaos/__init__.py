"""Fault tests of the service: kills under load, API fuzzing and an hour of sustained load."""
