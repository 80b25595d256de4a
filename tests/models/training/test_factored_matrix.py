import numpy as np
import pytest
from scipy import sparse

from models.evaluator.lesson import Term
from models.evaluator.monotone import sigmoid
from models.training.factored_matrix import FactoredMatrix
from models.training.own_logit import STEPS, fit_logit
from models.training.own_rows import EffectBuilder, LogitRows

N, PRODUCTS, WIDTH = 4_000, 40, 8
RNG = np.random.default_rng(11)
PRODUCT = RNG.integers(PRODUCTS, size=N)
NUMBERS = RNG.standard_normal((PRODUCTS, WIDTH)).round(4)
PLAIN = sparse.random(N, 5, 0.4, "csr", random_state=1)
DENSE = NUMBERS[PRODUCT]
WEIGHT = RNG.random(N)


def factored() -> FactoredMatrix:
    return FactoredMatrix.of_columns(PLAIN).beside(FactoredMatrix.of_groups(PRODUCT, NUMBERS))


def whole() -> np.ndarray:
    return np.concatenate([PLAIN.toarray(), DENSE], axis=1)


def test_sums_over_rows_are_those_of_the_matrix_multiplied_out() -> None:
    x, full, y = factored(), whole(), RNG.standard_normal((N, 3))
    assert x.shape == full.shape
    assert x.to_sparse().toarray() == pytest.approx(full)
    assert x.gram(WEIGHT) == pytest.approx(full.T @ (full * WEIGHT[:, None]))
    assert x.transposed_dot(y) == pytest.approx(full.T @ y)
    assert x.transposed_dot(sparse.csr_matrix(y)) == pytest.approx(full.T @ y)
    assert x.transposed_dot(x.scaled(WEIGHT)) == pytest.approx(x.gram(WEIGHT))
    assert x.left_dot(sparse.csr_matrix(y.T)) == pytest.approx(y.T @ full)


def test_rows_and_columns_are_selected_with_the_cells_they_need() -> None:
    x, full, rows, columns = factored(), whole(), np.arange(0, N, 7), np.asarray([6, 2, 9])
    assert x[rows].columns(columns).to_sparse().toarray() == pytest.approx(full[rows][:, columns])
    assert x.columns(np.arange(5)).cells.shape[1] == 5
    assert x.counts().tolist() == (full != 0).sum(axis=0).tolist()


def test_dense_columns_that_do_not_vary_share_one_cell() -> None:
    full = DENSE.copy()
    full[:, [1, 4, 6]] = 0.5, 0.0, -2.0
    x = FactoredMatrix.of_dense(full)
    assert x.cells.shape == (N, WIDTH - 3 + 1)
    assert x.gram(WEIGHT) == pytest.approx(full.T @ (full * WEIGHT[:, None]))
    assert x @ np.arange(8.0) == pytest.approx(full @ np.arange(8.0))
    assert FactoredMatrix.of_dense(full[:0]).shape == (0, WIDTH)


def test_effects_by_product_fit_as_dense_columns_do() -> None:
    price = RNG.uniform(-0.4, 0.3, N)
    logit = -1.0 + DENSE @ RNG.normal(0, 0.3, WIDTH) - 2.5 * price
    builder = EffectBuilder(N)
    builder.add(
        range(N),
        [[Term("all", 1.0, 2.5, 1.5), Term(f"product={one}", 1.0, 0.8, 0.5, independent=True)] for one in PRODUCT],
    )
    names = [f"text:{place}" for place in range(WIDTH)]
    groups, dense = FactoredMatrix.of_groups(PRODUCT, NUMBERS), FactoredMatrix.of_columns(sparse.csr_matrix(DENSE))
    found = []
    for block in (groups, dense):
        columns = builder.columns().with_group("text", names, block, (0.7, 0.4))
        made = LogitRows(
            bought=(np.random.default_rng(2).random(N) < sigmoid(logit)).astype(np.float64),
            mass=np.ones(N),
            log_ratio=price,
            effects=columns.values,
            inputs=FactoredMatrix.of_dense(np.zeros((N, 2))),
            steps=np.zeros((N, STEPS), np.float32),
            over=np.zeros(N),
            signals=np.zeros((N, 2)),
            controls=np.zeros((N, 0)),
            cluster=np.arange(N) // 3,
        )
        found.append(fit_logit(made, columns))
    for name in ("level", "slope", "sd", "covariance", "independent_covariance"):
        assert getattr(found[0], name) == pytest.approx(getattr(found[1], name), abs=1e-8)
