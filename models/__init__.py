"""Encoder, interest head, strategist and evaluator; their training and registry."""
