"""The demo panel with the products, households and texts that its rows refer to, and their encoder states."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.datasets.complete_journey import Journey, read_journey
from models.datasets.complete_journey_promotions import read_promotions
from models.encoder.encoder import Encoder, Vectors
from models.evaluator.evidence import item_states
from models.evaluator.promotion import Flags
from models.progress import Progress
from models.shopper.product_weeks import ProductWeeks
from models.shopper.texts import STRANGER, category_text, product_text
from models.training.interest import InterestRows
from models.training.item_affinity import Purchases, TasteTrainingConfig, vocabulary
from models.training.panel import Panel, PanelBuilder, PanelConfig


@dataclass(frozen=True, slots=True)
class DemoPanel:
    """Panel and the data that its rows refer to.

    Attributes:
        products: Products with item factors, the panel's `n_candidates` first; `purchases` refers to them by index.
        household_row: Household id to its row in `purchases`.
        promotion: Display and mailer of each panel row, `(n_rows, 2)`.
    """

    journey: Journey
    rates: PanelConfig
    panel: Panel
    products: list[int]
    n_candidates: int
    weeks: ProductWeeks
    purchases: Purchases
    household_row: dict[int, int]
    product_texts: dict[int, str]
    product_category: dict[int, str]
    categories: list[str]
    promotion: Flags
    interest: InterestRows
    interest_labels: NDArray[np.float32]


def read_panel(config: PanelConfig, taste: TasteTrainingConfig, progress: Progress) -> DemoPanel:
    """Build the panel and the interest rows in one pass over the data."""
    journey = read_journey()
    categories = sorted(journey.products["category"].unique())
    interest = InterestRows(categories)
    builder = PanelBuilder(journey, config, interest.observe)
    panel = builder.build(lambda week: progress("panel", week / 52))
    rows = list(journey.products.itertuples())
    households = {int(h): row for row, h in enumerate(np.unique(journey.receipts["household_id"]))}
    products, purchases = _purchases(journey, builder.products, households, taste)
    return DemoPanel(
        journey=journey,
        rates=config,
        panel=panel,
        products=products,
        n_candidates=len(builder.products),
        weeks=builder.weeks,
        purchases=purchases,
        household_row=households,
        product_texts={int(r.product_id): product_text(r.title, r.category, r.brand) for r in rows},
        product_category={int(r.product_id): str(r.category) for r in rows},
        categories=categories,
        promotion=read_promotions(builder.products).flags(panel.product, panel.store, panel.week),
        interest=interest,
        interest_labels=interest.labels(builder.category_purchases),
    )


def _purchases(
    journey: Journey, panel_products: list[int], households: dict[int, int], config: TasteTrainingConfig
) -> tuple[list[int], Purchases]:
    """Return the products with item factors, and their purchases."""
    receipts = journey.receipts
    products = item_products(journey, panel_products, config)
    column = {product: row for row, product in enumerate(products)}
    bought = receipts.loc[receipts["product_id"].isin(column.keys())]
    return products, Purchases(
        ids=[str(product) for product in products],
        household=bought["household_id"].map(households).to_numpy(np.int64),
        item=bought["product_id"].map(column).to_numpy(np.int64),
        week=bought["week"].to_numpy(np.int64),
        n_households=len(households),
    )


def item_products(journey: Journey, panel_products: list[int], config: TasteTrainingConfig) -> list[int]:
    """Choose the products with item factors on training weeks, the panel's first; `product_row` indexes them."""
    early = journey.receipts.loc[journey.receipts["week"] <= config.last_week]
    return vocabulary(panel_products, early["product_id"].to_numpy(), early["household_id"].to_numpy(), config.items)


@dataclass(frozen=True, slots=True)
class States:
    """Encoder states of the panel's shoppers, products and categories; `stranger` is that of an unknown shopper."""

    shopper: Vectors  # (n_states, dim), by `panel.state`
    product: Vectors  # (n_products, dim), by `product_row`
    category: Vectors  # (n_categories, dim)
    items: Vectors  # (n_states, dim)
    stranger: Vectors  # (dim,)
    product_row: NDArray[np.int64]  # (n_rows,)
    category_row: NDArray[np.int64]  # (n_rows,)


def encode_states(demo: DemoPanel, encoder: Encoder, progress: Progress) -> States:
    """Encode products, categories and shopper states."""
    product = encoder.encode([demo.product_texts[p] for p in demo.products])
    column = {p: i for i, p in enumerate(demo.products)}
    category_column = {c: i for i, c in enumerate(demo.categories)}
    texts = demo.panel.texts
    shopper = np.empty((len(texts), product.shape[1]), np.float32)
    for start in range(0, len(texts), 1024):
        shopper[start : start + 1024] = encoder.encode(texts[start : start + 1024])
        progress("encode shoppers", start / len(texts))
    names = {str(p): row for p, row in column.items()}
    known = np.concatenate([product, np.zeros((1, product.shape[1]), np.float32)])  # last row: unknown products
    return States(
        shopper=shopper,
        product=product,
        category=encoder.encode([category_text(c) for c in demo.categories]),
        items=item_states(demo.panel.recents, lambda ids: known[[names.get(p, -1) for p in ids]]),
        stranger=encoder.encode([STRANGER])[0],
        product_row=np.asarray([column[int(p)] for p in demo.panel.product]),
        category_row=np.asarray([category_column[demo.product_category[int(p)]] for p in demo.panel.product]),
    )
