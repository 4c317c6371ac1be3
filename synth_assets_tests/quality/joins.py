"""What the tests of the joins share."""

from synth_assets.quality.pairs import Pairs


def as_set(pairs: Pairs) -> set[tuple[int, int]]:
    assert all(pairs.left < pairs.right)
    assert sorted(zip(pairs.left, pairs.right, strict=True)) == list(zip(pairs.left, pairs.right, strict=True))
    found = {(int(i), int(j)) for i, j in zip(pairs.left, pairs.right, strict=True)}
    assert len(found) == len(pairs.left) == len(pairs.similarity)
    return found
