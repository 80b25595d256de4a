"""Next-basket retrieval on the demo data, beside peers."""
