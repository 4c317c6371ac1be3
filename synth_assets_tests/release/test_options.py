"""The order of a release, and what cannot be asked for."""

import pytest

from synth_assets.errors import StageFailed
from synth_assets.release.options import Options, placed
from synth_assets_tests.release.mixed_rows import mixed_row


def test_a_curriculum_goes_by_rounds_then_by_length() -> None:
    rows = [mixed_row("a", n, source_id=str(n), prompt="word " * words) for n, words in enumerate([50, 5, 20, 1])]
    assert placed(rows, "mixed", {}) == {}
    places = placed(rows, "curriculum", {"0": 0, "1": 2, "2": 0, "3": 2})
    assert [places[row["id"]] for row in rows] == [1, 3, 0, 2]


@pytest.mark.parametrize(("order", "forms", "message"), [("random", [], "no order 'random'"), ("mixed", ["xml"], "no form 'xml'")])
def test_what_there_is_not_is_refused(order: str, forms: list[str], message: str) -> None:
    with pytest.raises(StageFailed, match=message):
        Options.of(order, forms)
