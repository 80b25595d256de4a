"""Retrieval of demo products by queries in four languages: `pricesmith eval encoder`."""
