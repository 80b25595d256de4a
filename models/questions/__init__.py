"""The classifier of questions about prices."""
