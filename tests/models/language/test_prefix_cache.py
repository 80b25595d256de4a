import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.language.llama import KeyValueCache, LlamaShape
from models.language.prefix_cache import BLOCK, PrefixCache

SHAPE = LlamaShape(width=4, n_layers=2, n_heads=2, n_kv_heads=1, intermediate=4, rope_theta=1e4, norm_eps=1e-5)
prompts = st.lists(st.integers(0, 1), min_size=1, max_size=5 * BLOCK)


def room(rows: int = 1, length: int = 6 * BLOCK) -> KeyValueCache:
    return KeyValueCache(SHAPE, rows, length, torch.float32)


def written(ids: list[int], known: int, start: int) -> KeyValueCache:
    """Row after a forward pass; the value at a position depends on all tokens up to it."""
    memory = room()
    for index in range(known, len(ids)):
        memory.tensor[:, :, 0, :, start + index - known] = mark(ids[: index + 1])
    return memory


def mark(ids: list[int]) -> float:
    return float(int("1" + "".join(map(str, ids)), 2))


@settings(max_examples=100, deadline=None)
@given(st.lists(prompts, min_size=1, max_size=12), st.integers(1, 8))
def test_restored_values_are_those_stored_for_the_same_prefix(texts: list[list[int]], capacity: int) -> None:
    cache = PrefixCache(capacity)
    for ids in texts:
        known = cache.match_length(ids)
        assert known % BLOCK == 0
        assert known < len(ids)
        memory = room()
        cache.restore(memory, 0, ids[:known])
        for index in range(known):
            assert (memory.tensor[:, :, 0, :, index] == mark(ids[: index + 1])).all()
        assert (memory.tensor[:, :, 0, :, known:] == 0).all()
        cache.store(written(ids, known, start=3), 0, ids, known, 3)


def test_a_repeated_prompt_misses_at_most_one_block() -> None:
    cache = PrefixCache()
    for length in (1, BLOCK, BLOCK + 1, 3 * BLOCK):
        ids = list(range(length))
        cache.store(written([0] * length, 0, 0), 0, ids, 0, 0)
        assert length - BLOCK <= cache.match_length(ids) < length


def test_eviction_is_least_recently_used_with_later_blocks_first() -> None:
    cache = PrefixCache(capacity=3)
    first, other = [0] * (2 * BLOCK + 1), [1] * (BLOCK + 1)
    for ids in (first, other):
        cache.store(written(ids, 0, 0), 0, ids, 0, 0)
    cache.restore(room(), 0, first[: cache.match_length(first)])
    cache.store(written([0, 1] * BLOCK, 0, 0), 0, [0, 1] * BLOCK, 0, 0)  # two blocks: `other` and an end of `first` go
    assert cache.match_length(other) == 0
    assert cache.match_length(first) == BLOCK
