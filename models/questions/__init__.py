"""Classifier of merchants' questions about prices."""
