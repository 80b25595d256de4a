"""A running Pricesmith: assembly, settings, keys, data import, backup, webhooks."""
