from hypothesis import given
from hypothesis import strategies as st

from models.strategist.strategy import ALLOWED_ANCHORS, Anchor, Lever
from models.strategist.token_tree import TokenTree
from models.strategist.tokens import ANCHORS, LEVERS

possible = st.lists(
    st.tuples(st.frozensets(st.sampled_from(Lever)), st.frozensets(st.sampled_from(Anchor))), min_size=1, max_size=4
)


@given(possible)
def test_the_branches_are_the_possible_levers_and_their_known_anchors(
    requests: list[tuple[frozenset[Lever], frozenset[Anchor]]],
) -> None:
    tree = TokenTree.of(requests)
    for row, (levers, anchors) in enumerate(requests):
        expected = {
            lever: {a for a in ALLOWED_ANCHORS[lever] if a in anchors}
            for lever in Lever
            if lever in levers and any(a in anchors for a in ALLOWED_ANCHORS[lever])
        } | {Lever.HOLD: {Anchor.REFERENCE}}
        n_levers, n_pairs = len(expected), sum(map(len, expected.values()))
        assert {LEVERS[i] for i in tree.lever[row, :n_levers].tolist()} == set(expected)
        assert {lever for lever, may in zip(LEVERS, tree.lever_mask[row].tolist(), strict=True) if may} == set(expected)
        branches, found = tree.branch[row, :n_pairs].tolist(), tree.anchor[row, :n_pairs].tolist()
        pairs = [(LEVERS[tree.lever[row, b]], ANCHORS[a]) for b, a in zip(branches, found, strict=True)]
        assert len(set(pairs)) == n_pairs
        assert set(pairs) == {(lever, anchor) for lever, known in expected.items() for anchor in known}
        for branch in range(n_levers):
            allowed = {ANCHORS[a] for a in tree.anchor_mask[row, branch].nonzero()[:, 0].tolist()}
            assert allowed == expected[LEVERS[tree.lever[row, branch]]]


@given(possible)
def test_a_pair_is_found_by_its_branch_and_anchor(
    requests: list[tuple[frozenset[Lever], frozenset[Anchor]]],
) -> None:
    tree = TokenTree.of(requests)
    last = tree.anchor_mask.int().cumsum(-1).argmax(-1)  # each branch's last anchor
    found = tree.pairs(last)
    for row in range(len(requests)):
        for branch in range(int(tree.lever_mask[row].sum())):
            pair = found[row, branch]
            assert (int(tree.branch[row, pair]), int(tree.anchor[row, pair])) == (branch, int(last[row, branch]))
