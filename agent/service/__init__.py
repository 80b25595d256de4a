"""One running Pricesmith: assembly, settings, keys, ingestion, backup, webhooks."""
