"""Throughput of scoring at given prices, with cold and warm shopper states; part of `make bench`."""

import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np

from agent.domain.plain_requests import PlainRequests
from agent.pricing.score_at_prices import PricedRow
from agent.service.assembly import open_service
from agent.service.opening import open_store
from agent.service.process_tuning import tune_for_batches
from agent.service.service import Service
from agent.service.settings import Settings

_SHOPPERS: Final = 200
_PRODUCTS: Final = 100
_BATCH: Final = 4_096
_RATIOS: Final = (0.8, 0.9, 1.0, 1.1)

Row = tuple[str, str, int]  # shopper, product, price in minor units


@dataclass(frozen=True, slots=True)
class Scoring:
    """Rows per second, request parsing included; `cold` includes reading and encoding each shopper's history."""

    rows: int
    cold: int
    warm: int


def measure_scoring(data_dir: Path) -> Scoring:
    """Score the same rows twice in process, first cold, then warm."""
    settings = Settings(data_dir=data_dir)
    service = open_service(settings, open_store(settings))
    tune_for_batches()
    try:
        rows = _rows(settings)
        cold, warm = (_pass(service, rows) for _ in range(2))
    finally:
        service.close()
    return Scoring(len(rows), cold, warm)


def _rows(settings: Settings) -> list[Row]:
    rng = np.random.default_rng(13)
    with open_store(settings) as store:
        shoppers = list(islice(store.shopper_ids(), _SHOPPERS))
        listed = [(p.product_id, p.list_minor) for p in islice(store.iter_products(), 4_000) if p.list_minor]
    return [
        (shopper, listed[chosen][0], max(1, round(listed[chosen][1] * float(rng.choice(_RATIOS)))))
        for shopper in shoppers
        for chosen in rng.choice(len(listed), _PRODUCTS, replace=False).tolist()
    ]


def _pass(service: Service, rows: list[Row]) -> int:
    began = time.perf_counter()
    for start in range(0, len(rows), _BATCH):
        plain = PlainRequests()
        service.score([PricedRow(plain.request(s, p), price) for s, p, price in rows[start : start + _BATCH]])
    return round(len(rows) / (time.perf_counter() - began))
