"""Encoder, interest head, strategist, evaluator and language models, with their training and registry."""
