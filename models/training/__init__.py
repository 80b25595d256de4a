"""Training of all models: on the demo data, on written texts, and on a merchant's own outcomes."""
