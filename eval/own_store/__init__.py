"""Training on generated shops with known truth, beside peers."""
