import json
import re
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synth_assets.config import Decontamination
from synth_assets.quality import decontamination
from synth_assets.quality.canaries import BENCHMARK, missed_canaries, plant_canaries
from synth_assets.quality.decontamination import Hit, Index, Item, Scan
from synth_assets.quality.folding import folded_words, masked_words
from synth_assets.quality.item_ngrams import ItemNgrams, longest_run
from synth_assets.quality.words import words

SHARED_DATA = Path(__file__).parents[2] / ".." / "shared" / "data"

PROBLEM = (
    "Maria keeps 24 hens behind the old mill. Each hen lays 6 eggs per week, and Maria sells the eggs at the village market "
    "in boxes of 12 for 3 dollars a box. How many dollars does she earn in four weeks?"
)
MARBLES = "Tom has 5 red marbles and 7 blue ones. Anna gives him 3 more, then Peter takes 4 of the red and 2 of the blue. How many marbles does Tom have left?"
CHANGED = (
    "Kofi has 1,350 red marbles and eighty blue ones. Mei Ling gives him 31 more, then Omar takes 44 of the red and 6 of the blue. "
    "How many marbles does Kofi have left?"
)
SHORT = "Prove that the square root of two is irrational."
TINY = "Who was Euclid?"
SOLUTION = "She collects 576 eggs in four weeks, fills 48 boxes with them, and earns 144 dollars at the market."
CHINESE = "小明有二十四只母鸡，每只母鸡每周下六个蛋，他把鸡蛋装成十二个一盒卖掉，四周一共能卖多少盒？"
SHORT_CHINESE = "证明根号二是无理数。"

ITEMS = [
    Item("farm", "1", "prompt", PROBLEM),
    Item("farm", "1", "answer", SOLUTION),
    Item("farm", "2", "prompt", SHORT),
    Item("farm", "3", "prompt", TINY),
    Item("farm", "3", "answer", "A geometer"),
    Item("farm", "4", "answer", "144"),
    Item("nong", "1", "prompt", CHINESE),
    Item("nong", "2", "prompt", SHORT_CHINESE),
    Item("farm", "5", "prompt", "???"),
    Item("farm", "6", "prompt", MARBLES),
]
FILLER = "Here is a text about something else that has nothing to do with any of it, written only to stand around the rest."
LOOK_ALIKES = str.maketrans("aeiopcHMT", "аеіорсНМТ")


def index(*, items: list[Item] = ITEMS, real: tuple[str, ...] = (), **settings: float) -> Index:
    return Index.build(items, real, Decontamination.model_validate(settings))


def hits(prompt: str, response: str = "", **kwargs: object) -> set[tuple[str, str, str, str]]:
    scan = index(**kwargs).scan([("row", prompt, response)])  # type: ignore[arg-type]
    return {(hit.item_id, hit.item_part, hit.rule, hit.part) for hit in scan.hits}


HALF = len(PROBLEM.split()) // 2


@pytest.mark.parametrize(
    ("kind", "prompt", "response", "expected"),
    [
        ("verbatim", PROBLEM, "", {("1", "prompt", "exact", "prompt"), ("1", "prompt", "coverage_8gram", "prompt"), ("1", "prompt", "rare_13gram", "prompt")}),
        ("upper case", PROBLEM.upper(), "", {("1", "prompt", "exact", "prompt")}),
        ("no punctuation", re.sub(r"[.,?]", "", PROBLEM), "", {("1", "prompt", "exact", "prompt")}),
        ("white space", "\n".join(PROBLEM.split()), "", {("1", "prompt", "exact", "prompt")}),
        ("full width", PROBLEM.translate({i: i + 0xFEE0 for i in range(0x21, 0x7F)}), "", {("1", "prompt", "exact", "prompt")}),
        ("look-alikes", PROBLEM.translate(LOOK_ALIKES), "", {("1", "prompt", "exact", "prompt")}),
        ("invisible characters", PROBLEM.replace("e", "e\u200b"), "", {("1", "prompt", "exact", "prompt")}),
        ("in an answer", FILLER, PROBLEM, {("1", "prompt", "exact", "answer")}),
        ("inside a prompt", f"{FILLER} {PROBLEM} {FILLER}", "", {("1", "prompt", "coverage_8gram", "prompt"), ("1", "prompt", "rare_13gram", "prompt")}),
        ("inside an answer", FILLER, f"{FILLER} {PROBLEM} {FILLER}", {("1", "prompt", "coverage_8gram", "answer")}),
        ("in both", PROBLEM, PROBLEM, {("1", "prompt", "exact", "prompt"), ("1", "prompt", "exact", "answer")}),
        ("split", " ".join(PROBLEM.split()[:HALF]), " ".join(PROBLEM.split()[HALF:]), {("1", "prompt", "exact", "both")}),
        ("two thirds", " ".join(PROBLEM.split()[:26]), "", {("1", "prompt", "coverage_8gram", "prompt")}),
        ("thirteen words", f"{FILLER} {' '.join(words(PROBLEM)[3:16])} {FILLER}", "", {("1", "prompt", "rare_13gram", "prompt")}),
        ("other numbers and names", CHANGED, "", {("6", "prompt", "masked", "prompt")}),
        ("the same in an answer", FILLER, f"{FILLER} {CHANGED}", {("6", "prompt", "masked", "answer")}),
        ("a long solution", FILLER, f"{FILLER} {SOLUTION}", {("1", "answer", "coverage_8gram", "answer")}),
        ("short", SHORT, "", {("2", "prompt", "exact", "prompt")}),
        ("short inside", f"{FILLER} {SHORT.lower()}", FILLER, {("2", "prompt", "contained", "prompt")}),
        ("short inside an answer", FILLER, f"{FILLER} {SHORT}", {("2", "prompt", "contained", "answer")}),
        ("short split", f"{FILLER} Prove that the square", f"root of two is irrational. {FILLER}", {("2", "prompt", "contained", "both")}),
        ("tiny", "who was EUCLID", "", {("3", "prompt", "exact", "prompt")}),
        ("Chinese", CHINESE, "", {("1", "prompt", "exact", "prompt")}),
        ("Chinese inside", FILLER, f"题目如下：{CHINESE}请解答。", {("1", "prompt", "coverage_8gram", "answer")}),
        ("short Chinese", SHORT_CHINESE, "", {("2", "prompt", "exact", "prompt")}),
    ],
)
def test_planted_copies_are_found(kind: str, prompt: str, response: str, expected: set[tuple[str, str, str, str]]) -> None:
    assert expected <= hits(prompt, response), kind


@pytest.mark.parametrize(
    ("kind", "prompt", "response"),
    [
        ("empty", "", ""),
        ("one word", "hens", "eggs"),
        ("only signs", "???", "!!!"),
        ("filler", FILLER, FILLER),
        ("tiny inside", f"{FILLER} Who was Euclid? {FILLER}", "Who was Euclid?"),
        ("tiny in an answer", FILLER, "Who was Euclid?"),
        ("short answers", "144", "144"),
        ("short answers", "A geometer", "A geometer"),
        ("half of a short item", "Prove that the square root exists.", ""),
        ("a few words of a long item", "Maria keeps 24 hens behind the old mill.", "She sells the eggs at the village market."),
        ("numbers only", "24 6 12 3 4 24 6 12 3 4 24 6 12 3 4", ""),
        ("names and numbers", "Anna 3, Bob 4, Carl 5, Dora 6, Emil 7, Fritz 8, Gus 9", ""),
        ("short Chinese inside", f"老师说：{SHORT_CHINESE[:7]}", ""),
    ],
)
def test_clean_rows_pass(kind: str, prompt: str, response: str) -> None:
    assert hits(prompt, response) == set(), kind


def test_a_hit_says_what_matched() -> None:
    prompt = f"{FILLER} {' '.join(PROBLEM.split()[:22])}"
    scan = index().scan([("a", FILLER, ""), ("b", prompt, "")])
    assert scan.hits == [
        Hit("b", "prompt", "farm", "1", "prompt", "coverage_8gram", " ".join(words(PROBLEM)[:22]), 22 / 42),
        Hit("b", "prompt", "farm", "1", "prompt", "rare_13gram", " ".join(words(PROBLEM)[:22]), 22 / 42),
    ]
    assert scan.coverage == [0.0, 22 / 42]


def test_coverage_is_reported_below_the_limit_too() -> None:
    scan = index().scan([("row", " ".join(words(PROBLEM)[:10]), "")])
    assert scan.hits == []
    assert scan.coverage == [10 / 42]


@pytest.mark.parametrize(("copied", "found"), [(8, False), (9, True)])
def test_coverage_at_its_limit_is_clean(copied: int, found: bool) -> None:
    item = Item("b", "1", "prompt", " ".join(f"w{i}x" for i in range(16)))
    row = " ".join(item.text.split()[:copied])
    rules = {rule for _, _, rule, _ in hits(row, items=[item])}
    assert rules == ({"coverage_8gram"} if found else set())


@pytest.mark.parametrize(("copied", "found"), [(12, False), (13, True)])
def test_the_long_ngram_has_its_full_length(copied: int, found: bool) -> None:
    item = Item("b", "1", "prompt", " ".join(f"w{i}x" for i in range(100)))
    rules = {rule for _, _, rule, _ in hits(" ".join(item.text.split()[:copied]), items=[item])}
    assert rules == ({"rare_13gram"} if found else set())


def test_boilerplate_of_real_data_does_not_count() -> None:
    frame = "You are given a list of whole numbers, and your task is to write a function that returns"
    item = Item("code", "1", "prompt", f"{frame} the second largest.")
    row = f"{frame} every other one of them, in reverse order, as a string."
    assert {rule for _, _, rule, _ in hits(row, items=[item])} == {"coverage_8gram", "rare_13gram"}
    real = tuple(f"{frame} number {i}." for i in range(3))
    assert {rule for _, _, rule, _ in hits(row, items=[item], real=real[:2])} == {"coverage_8gram", "rare_13gram"}
    assert hits(row, items=[item], real=real) == set()
    assert hits(row, items=[item], real=real[:1], common=1) == set()
    # The item as a whole is found all the same.
    assert "exact" in {rule for _, _, rule, _ in hits(item.text, items=[item], real=real)}


def test_a_short_item_that_real_data_hold_is_only_found_as_a_whole() -> None:
    item = Item("b", "1", "prompt", "What is the capital of France?")
    real = ("What is the capital of France? Paris.",) * 3
    assert {rule for _, _, rule, _ in hits(f"{FILLER} {item.text}", items=[item])} == {"contained"}
    assert hits(f"{FILLER} {item.text}", items=[item], real=real) == set()
    assert {rule for _, _, rule, _ in hits(item.text, items=[item], real=real)} == {"exact"}


def test_one_row_must_cover_the_item_alone() -> None:
    tokens = words(PROBLEM)
    rows = [("a", " ".join(tokens[:12]), ""), ("b", " ".join(tokens[12:24]), ""), ("c", " ".join(tokens[24:]), "")]
    assert {hit.row_id for hit in index().scan(rows).hits if hit.rule == "coverage_8gram"} == set()


def test_a_masked_hit_is_not_told_where_a_plain_one_is() -> None:
    assert "masked" not in {rule for _, _, rule, _ in hits(MARBLES)}
    assert {rule for _, _, rule, _ in hits(CHANGED)} == {"masked"}


def test_long_texts_are_scanned() -> None:
    text = "word " * 10_000 + PROBLEM + " 字" * 30_000
    assert ("1", "prompt", "rare_13gram", "prompt") in hits(text, text)


def test_an_index_without_items_finds_nothing() -> None:
    scan = index(items=[]).scan([("row", PROBLEM, SOLUTION)])
    assert scan == ([], [0.0])
    assert index().scan([]) == ([], [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Привет", folded_words("ПРИВЕТ")),
        ("Наllо Wоrld", ["hallo", "world"]),
        ("so\u00adft hy\u200bphen", ["soft", "hyphen"]),
        ("ＡＢＣ １２", ["abc", "12"]),
        ("Ηello", ["hello"]),
        ("café naïve Ångström", ["cafe", "naive", "angstrom"]),
        ("ϲаt ᏟᎪᎢ ᴄᴀᴛ 𝐜𝐚𝐭 ⓒⓐⓣ ｃａｔ", ["cat"] * 6),
        ("“quiet” – text", ["quiet", "text"]),
    ],
)
def test_folding(text: str, expected: list[str]) -> None:
    assert folded_words(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("Maria has 12 hens", "<name> has <number> hens"),
        ("Maria Santos has 1,250.50 dollars", "<name> has <number>"),
        ("one hundred and five, or 3.5, or minus three point five", "<number> or <number> or <number>"),
        ("J. McDonald's cat and Anna's dog", "<name> cat and <name> dog"),
        ("$5 or five dollars, a third", "<number> or <number> a <number>"),
        ("She has twenty five hens and a 3rd one", "she has <number> hens and a <number>"),
        ("I asked NASA", "i asked nasa"),
        ("小明有二十四只鸡", "小 明 有 <number> 只 鸡"),
    ],
)
def test_masking(text: str, expected: str) -> None:
    assert masked_words(text) == expected.split()


def test_item_ngrams_by_hand() -> None:
    grams = ItemNgrams(2)
    grams.add(0, ["a", "b", "c"])
    grams.add(1, ["b", "c", "b", "c"])
    assert grams.matches(["x", "b"], ["c", "y"]) == {0: (set(), set(), {1, 2}), 1: (set(), set(), {0, 1, 2, 3})}
    assert grams.matches(["a", "b", "c"], ["a", "b"]) == {0: ({0, 1, 2}, {0, 1}, {0, 1, 2}), 1: ({0, 1, 2, 3}, set(), {0, 1, 2, 3})}
    grams.count_document(["b", "c", "b", "c"])
    grams.count_document(["b", "c"])
    grams.forget_common(2)
    assert grams.matches(["a", "b", "c"], []) == {0: ({0, 1}, set(), {0, 1})}


@pytest.mark.parametrize(("positions", "run"), [(set(), []), ({1}, ["b"]), ({0, 2, 3}, ["c", "d"]), ({0, 1, 3, 4}, ["a", "b"])])
def test_longest_run(positions: set[int], run: list[str]) -> None:
    assert longest_run(["a", "b", "c", "d", "e"], positions) == run


# Every word is its own, so that the only matches are those that are planted.
texts = st.lists(st.integers(0, 30).map(lambda i: f"w{i}x"), min_size=0, max_size=40)


@settings(max_examples=150, deadline=None)
@given(texts, texts, texts)
def test_coverage_is_that_of_plain_python(item: list[str], prompt: list[str], answer: list[str]) -> None:
    def covered(row: list[str]) -> int:
        grams = {tuple(row[i : i + 8]) for i in range(len(row) - 7)}
        return len({i + k for i in range(len(item) - 7) if tuple(item[i : i + 8]) in grams for k in range(8)})

    scan = index(items=[Item("b", "1", "prompt", " ".join(item))]).scan([("row", " ".join(prompt), " ".join(answer))])
    by_coverage = {hit.part: hit.score for hit in scan.hits if hit.rule == "coverage_8gram"}
    parts: dict[Literal["prompt", "answer", "both"], int] = {"prompt": covered(prompt), "answer": covered(answer), "both": covered([*prompt, *answer])}
    above = {part: count / len(item) for part, count in parts.items() if 2 * count > len(item)}
    if "prompt" in above or "answer" in above:
        above.pop("both", None)
    assert by_coverage == above


@settings(max_examples=100, deadline=None)
@given(texts.filter(lambda t: len(t) >= 13), texts, texts)
def test_a_verbatim_copy_is_always_found(item: list[str], before: list[str], after: list[str]) -> None:
    scan = index(items=[Item("b", "1", "prompt", " ".join(item))]).scan([("row", " ".join([*before, *item, *after]), "")])
    assert {"coverage_8gram", "rare_13gram"} <= {hit.rule for hit in scan.hits}
    assert scan.coverage == [1.0]


# The compiled engine finds what the plain one finds.


def with_engine(compiled: bool, items: list[Item], real: list[str], of: Decontamination) -> Index:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decontamination, "_PLAIN_CHARACTERS", -1 if compiled else 10**9)
        built = Index.build(items, real, of)
        built.scan([("", "", "")])
    assert (built._compiled is not None) is compiled
    return built


def both_engines(items: list[Item], rows: list[tuple[str, str, str]], real: list[str], **changed: float) -> Scan:
    of = Decontamination.model_validate(changed)
    plain, compiled = (with_engine(is_compiled, items, real, of) for is_compiled in (False, True))
    assert plain._forgotten == compiled._forgotten
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decontamination, "_PLAIN_CHARACTERS", 10**9)
        expected = plain.scan(rows)
        assert compiled.scan(rows) == expected
        canaries = plant_canaries(plain, 3)
        assert canaries == plant_canaries(compiled, 3)
        copies = [*rows, *((c.item_id, c.prompt, c.response) for c in canaries)]
        assert plain.scan(copies) == compiled.scan(copies)
        assert missed_canaries(compiled, canaries) == []
    return expected


vocabulary = st.sampled_from(
    [*"abcdefgh", "The", "Anna", "McDonald", "NASA", "seven", "7", "3.5", "and", "minus", "dollars", "it's", "Anna's", "二", "母", "鸡", "ΣΑΣ", "İx"]
)
sentences = st.lists(vocabulary, max_size=30).map(" ".join)
odd = st.sampled_from(["", "one", "字", "!?", "\x00\ud800", PROBLEM, CHANGED, CHINESE, SHORT, SHORT_CHINESE, MARBLES.upper()]) | st.text(max_size=40)
pieces = st.lists(sentences | odd, max_size=3).map(" ".join)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(sentences | odd, st.booleans()), max_size=6),
    st.lists(st.tuples(pieces, pieces), max_size=5),
    st.lists(sentences | odd, max_size=4),
    st.sampled_from([5, 8, 13]),
    st.sampled_from([0.0, 0.5, 1.0]),
)
def test_both_engines_find_the_same(texts: list[tuple[str, bool]], rows: list[tuple[str, str]], real: list[str], ngram: int, coverage: float) -> None:
    items = [*ITEMS, *(Item("drawn", str(i), "answer" if is_answer else "prompt", text) for i, (text, is_answer) in enumerate(texts))]
    read = [(str(i), prompt, answer) for i, (prompt, answer) in enumerate(rows)]
    # Rows that copy the items drawn: whole, begun, and over both parts.
    read += [(f"copy {i}", text, text[: len(text) // 2]) for i, (text, _) in enumerate(texts)]
    read += [(f"split {i}", text[: len(text) // 2], text[len(text) // 2 :]) for i, (text, _) in enumerate(texts)]
    both_engines(items, read, [*real, *real, *(text for text, _ in texts[:2])], ngram=ngram, coverage=coverage, common=2)


@pytest.mark.parametrize("unit", ["a ", "ab", "Anna 7 ", "字"])
def test_both_engines_read_texts_of_100_000_characters(unit: str) -> None:
    text = (unit * 100_000)[:100_000]
    items = [*ITEMS, Item("long", "1", "prompt", text[:300]), Item("long", "2", "prompt", text[:10_000])]
    assert both_engines(items, [("1", text, f"{text} {PROBLEM}"), ("2", text[:10_000], "")], []).hits


def test_every_planted_copy_is_found_by_both_engines() -> None:
    texts = [PROBLEM, PROBLEM.upper(), PROBLEM.translate(LOOK_ALIKES), CHANGED, SOLUTION, SHORT, TINY, CHINESE, SHORT_CHINESE, f"{FILLER} {PROBLEM} {SHORT}"]
    rows = [(f"{i} {j}", prompt, answer) for i, prompt in enumerate(texts) for j, answer in enumerate([*texts, ""])]
    assert len({hit.rule for hit in both_engines(ITEMS, rows, [FILLER]).hits}) == 5


def test_a_character_s_lower_case_does_not_depend_on_its_neighbours() -> None:
    from synth_assets.quality.folding import folded
    from synth_assets.quality.hashed_words import UNICODE, characters

    _, lower = characters(UNICODE)
    letters = "".join(folded(f"字{chr(i)}字") for i in range(UNICODE) if not 0xD800 <= i < 0xE000)
    assert words(letters) == words("".join(chr(lower[ord(c)]) for c in letters))
    assert not any(chr(i).isalnum() for i in range(UNICODE, 0x110000))


def test_a_stream_is_scanned_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decontamination, "_BATCH_ROWS", 3)
    rows = [(str(i), PROBLEM if i % 2 else FILLER, "") for i in range(8)]
    scans = list(index().scan_stream(iter(rows)))
    assert [len(scan.coverage) for scan in scans] == [3, 3, 2]
    whole = index().scan(rows)
    assert Scan([hit for scan in scans for hit in scan.hits], [c for scan in scans for c in scan.coverage]) == whole


def test_every_answer_is_read_after_the_prompt() -> None:
    first, rest = " ".join(PROBLEM.split()[:HALF]), " ".join(PROBLEM.split()[HALF:])
    scan = index().scan_answers([("pair", first, [FILLER, rest]), ("chosen", first, [rest]), ("none", PROBLEM, []), ("clean", FILLER, [FILLER, FILLER])])
    assert {(hit.row_id, hit.part) for hit in scan.hits if hit.rule == "exact"} == {("pair", "both"), ("chosen", "both"), ("none", "prompt")}
    assert len(set(scan.hits)) == len(scan.hits)
    assert scan.coverage[:3] == [1.0, 1.0, 1.0] and scan.coverage[3] == 0
    # Words that stand at the end of one answer and the beginning of another are not next to each other.
    assert {hit.rule for hit in index().scan_answers([("row", "", [first, rest])]).hits} == {"rare_13gram"}


def test_a_whole_item_inside_a_text_is_found_when_its_ngrams_are_boilerplate() -> None:
    frame = "You are given a list of whole numbers, and your task is to write a function that returns"
    item = Item("code", "1", "prompt", frame)
    tokens = frame.split()
    real = (" ".join(tokens[:15]), " ".join(tokens[2:])) * 3
    assert {rule for _, _, rule, _ in hits(f"It reads: {item.text}", items=[item], real=real)} == {"contained"}
    assert hits(f"It reads: {item.text}", items=[item], real=(item.text,) * 3) == set()


# Canaries


@pytest.mark.parametrize("ngram", [5, 8, 13, 30])
@pytest.mark.parametrize("coverage", [0.0, 0.5, 0.9, 1.0])
def test_canaries_are_found_under_any_settings(ngram: int, coverage: float) -> None:
    built = index(ngram=ngram, coverage=coverage)
    canaries = plant_canaries(built, "run 1")
    assert missed_canaries(built, canaries) == []
    rules = {canary.rule for canary in canaries}
    assert rules >= {"exact", "rare_13gram", "masked"}
    assert "contained" in rules
    assert ("coverage_8gram" in rules) is (coverage < 1)


def test_canaries_follow_their_seed() -> None:
    first, again, other = (plant_canaries(index(), seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_canaries_change_nothing_for_real_rows() -> None:
    rows = [("a", PROBLEM, SOLUTION), ("b", FILLER, CHINESE)]
    plain, planted = index(), index()
    plant_canaries(planted, 7)
    assert planted.scan(rows) == plain.scan(rows)


def test_a_gate_that_lost_its_items_misses_the_canaries() -> None:
    canaries = plant_canaries(index(), 7)
    assert missed_canaries(index(), canaries) == canaries
    assert missed_canaries(index(items=[]), canaries) == canaries


def test_a_canary_that_another_item_finds_is_missed() -> None:
    canaries = plant_canaries(index(), 7)
    others = [Item(BENCHMARK, f"other-{i}", "prompt", canary.prompt) for i, canary in enumerate(canaries)]
    assert missed_canaries(index(items=others), canaries) == canaries


@pytest.mark.skipif(not SHARED_DATA.is_dir(), reason="real data are not beside this checkout: ../shared/data")
def test_every_problem_of_gsm8k_is_found_with_other_numbers() -> None:
    problems = [json.loads(line)["question"] for line in (SHARED_DATA / "gsm8k_test.jsonl").read_text(encoding="utf-8").splitlines()]
    built = index(items=[Item("gsm8k", str(i), "prompt", problem) for i, problem in enumerate(problems)])
    changed = [(str(i), re.sub(r"\d+", lambda m: str(int(m.group()) * 7 + 11), problem), "") for i, problem in enumerate(problems)]
    found = {hit.row_id for hit in built.scan(changed).hits if hit.row_id == hit.item_id}
    assert len(found) == len(problems) == 1319
