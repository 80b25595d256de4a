"""`pricesmith eval models`: all evaluation protocols of trained models."""
