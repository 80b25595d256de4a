"""Next-basket recommendation on the demo data, compared with other rankers."""
