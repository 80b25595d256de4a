"""Explanations: a question understood, facts computed from the record, a text whose every number is checked."""
