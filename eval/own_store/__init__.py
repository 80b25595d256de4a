"""Training on a merchant's outcomes, evaluated on generated shops with known demand."""
