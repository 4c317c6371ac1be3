from synth_assets.config import Rules
from synth_assets.expectations.by_rows import FEWEST, by_rows
from synth_assets.expectations.filtered import rules_broken


def test_many_rows_give_what_one_process_gives_in_order() -> None:
    count = 2 * FEWEST + 1
    prompts = ["Name a sea bird."] * count
    responses = ["" if n % 1000 == 0 else "A gull." for n in range(count)]
    columns = [prompts, responses, ["distill"] * count]
    found = by_rows(rules_broken, columns, "en", Rules())
    assert [n for n, broken in enumerate(found) if broken] == list(range(0, count, 1000))
    assert by_rows(rules_broken, [column[:3] for column in columns], "en", Rules()) == found[:3]
