"""Evaluation of the strategist on held-out situations: regret, validity, sensitivity."""
