import pytest
import torch

from models.language.precision import fast_autocast, fast_dtype


@pytest.mark.parametrize(
    ("processor", "expected"),
    [
        ({"avx2": True, "avx512_bf16": False}, torch.float32),
        ({"avx2": True, "avx512_bf16": True}, torch.bfloat16),
        ({"amx_bf16": True}, torch.bfloat16),
        ({}, torch.float32),
    ],
    ids=["AVX2 alone", "AVX-512 with bf16", "tiles", "unknown"],
)
def test_half_precision_is_used_only_where_the_processor_computes_in_it(
    processor: dict[str, bool], expected: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: processor)
    assert fast_dtype() is expected
    with fast_autocast(torch.device("cpu")):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype is expected
