"""Pricesmith and its peers on real data that comes inside Python packages: `pricesmith eval own --real`."""
