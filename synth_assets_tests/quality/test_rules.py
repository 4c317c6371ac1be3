import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synth_assets.config import Rules
from synth_assets.quality.findings import EVIDENCE, Finding, masked, one_line
from synth_assets.quality.languages import wrong_language
from synth_assets.quality.rules import RULES, check_row

PROMPT = "Explain why the sky is blue to a child."
ANSWER = "Sunlight holds all colours. The air scatters blue light more than red, so blue comes to your eyes from everywhere."
PROMPT_ZH = "请向孩子解释天空为什么是蓝色的。"
ANSWER_ZH = "阳光里有各种颜色，空气把蓝光散射得最厉害，所以我们从四面八方都看到蓝色。"


def broken(prompt: str, response: str, language: str = "en", rules: Rules | None = None, *, checked: bool = False) -> list[str]:
    return [f.rule for f in check_row(prompt, response, language=language, rules=rules or Rules(), reference_answer_expected=checked)]


@pytest.mark.parametrize(
    ("prompt", "response", "language"),
    [
        (PROMPT, ANSWER, "en"),
        (PROMPT_ZH, ANSWER_ZH, "zh"),
        ("What is 2 + 2?", "4", "en"),
        ("What is the derivative of x squared?", "$2x$", "en"),
        ("计算：二加二等于几？", "4", "zh"),
        (PROMPT, f"<think>\nScattering goes with the fourth power.\n</think>\n\n{ANSWER}", "en"),
        ("Draft an e-mail to a colleague who lost a parent.", "Dear Ana,\n\nI'm sorry for your loss. I can't imagine how you feel.", "en"),
        ("Give me a support address to print in the manual.", "support@example.com, or call 555-0100.", "en"),
    ],
)
def test_good_rows_break_no_rule(prompt: str, response: str, language: str) -> None:
    assert check_row(prompt, response, language=language, rules=Rules()) == []


@pytest.mark.parametrize(
    ("prompt", "response", "language", "rules"),
    [
        ("Why?", ANSWER, "en", ["prompt_too_short"]),
        ("为何", ANSWER_ZH, "zh", ["prompt_too_short"]),
        ("", "", "en", ["prompt_too_short", "response_too_short"]),
        ("one two three " * 667, ANSWER, "en", ["prompt_too_long"]),
        (PROMPT, "", "en", ["response_too_short"]),
        (PROMPT, " \n ", "en", ["response_too_short"]),
        (PROMPT, "...", "en", ["response_too_short"]),
        (PROMPT, " explain WHY the sky is blue, to a child", "en", ["response_equals_prompt"]),
        ("请解释光合作用", "请解释光合作用。", "zh", ["response_equals_prompt"]),
        ("!?!", "!?!", "en", ["prompt_too_short", "response_too_short", "response_equals_prompt"]),
        (PROMPT, "Die Luft streut das blaue Licht stärker als das rote, und darum ist der Himmel blau.", "en", ["wrong_language"]),
        (PROMPT, ANSWER_ZH, "en", ["wrong_language"]),
        (PROMPT_ZH, ANSWER, "zh", ["wrong_language"]),
        (PROMPT_ZH, "空は青い光を散乱するので、わたしたちには青く見えるのです。", "zh", ["wrong_language"]),
        (PROMPT, "The sky is blue. " * 30, "en", ["duplicate_10grams", "repeated_in_a_row"]),  # the prompt's own words are no top n-gram
        (PROMPT, "Air is thin up. " * 30, "en", ["top_2gram", "top_3gram", "top_4gram", "duplicate_10grams", "repeated_in_a_row"]),
        (PROMPT, f"<noinput>\n{ANSWER}", "en", ["scaffold_text"]),
        (f"{PROMPT}\n\nNoinput", ANSWER, "en", ["scaffold_text"]),
        (PROMPT, "<nooutput> This type of instruction cannot be fulfilled by a GPT model.", "en", ["refusal", "scaffold_text"]),
        (PROMPT, "Lorem ipsum dolor sit amet, and so on.", "en", ["boilerplate"]),
        (PROMPT, "I'm sorry, but I can't assist with that.", "en", ["refusal"]),
        (PROMPT_ZH, "很抱歉，作为一个人工智能语言模型，我无法回答这个问题。", "zh", ["refusal"]),
        ("Summarise the article.\n[Insert article]", "It says that rents rise faster than wages.", "en", ["missing_input"]),
        ("Send your name to [YourEmailAddress], please.", "I have sent it to the address that you gave.", "en", ["missing_input"]),
        ("请概括下面的文章。\n[请在此处粘贴文章]", "文章说房租涨得比工资快。", "zh", ["missing_input"]),
        ("A jar holds 128 sweets. Tom takes 36. How many are left?", "There are 128 - 36 = 72 sweets left.", "en", ["false_equation"]),
        ("罐子里有128颗糖，拿走36颗，还剩几颗？", "还剩128 - 36 = 72颗糖。", "zh", ["false_equation"]),
        ("In 10 words or less, say why the sky is blue.", ANSWER, "en", ["over_word_limit"]),
        ("不超过20个字，解释天空为什么是蓝色的。", ANSWER_ZH, "zh", ["over_word_limit"]),
        ("Sort a list in Python.", "```python\nx = [2, 1]\nprint(sorted(x)\n```", "en", ["broken_code"]),
        ("How does error handling differ from a loop in Python?", "```python\nwhile True # no colon\n    pass\n```", "en", ["broken_code"]),
        ("用Python给列表排序。", "下面是代码：\n```py\nfor i in range(3)\n    print(i)\n```", "zh", ["broken_code"]),
        (PROMPT, f"As of my last knowledge update, this holds. {ANSWER}", "en", ["boilerplate"]),
        (PROMPT, f"{ANSWER}<|im_end|>", "en", ["scaffold_text"]),
        (f"### Instruction:\n{PROMPT}", ANSWER, "en", ["scaffold_text"]),
        (PROMPT, f"<think>{ANSWER}", "en", ["think_form"]),
        (PROMPT, f"<think>because</think>{ANSWER}</think>", "en", ["think_form"]),
        (PROMPT, f"{ANSWER} Itâ€™s simple.", "en", ["encoding_damage"]),
        (f"{PROMPT}\x00", ANSWER, "en", ["encoding_damage"]),
        (PROMPT, f"{ANSWER} Write to m.okafor@uni-leeds.ac.uk or (732) 830-9763 for more.", "en", ["email_address", "phone_number"]),
        (PROMPT, f"{ANSWER} The server is 59.187.84.127.", "en", ["ip_address"]),
    ],
)
def test_every_rule_that_is_broken_is_named(prompt: str, response: str, language: str, rules: list[str]) -> None:
    assert broken(prompt, response, language) == rules


@pytest.mark.parametrize(
    ("prompt", "response"),
    [
        ("Translate to German: the sky is blue because of the air.", "Der Himmel ist wegen der Luft blau, und das ist schön."),
        ("Write a short poem about rain in Spanish, please.", "La lluvia cae despacio sobre los tejados de la ciudad dormida."),
        ("Write a function that adds two numbers.", "```python\ndef suma(uno, otro):\n    return uno + otro  # la suma de los dos números enteros\n```"),
        ("Why does this not run?\n```python\nprint(1\n```", "A bracket is missing:\n```python\nprint(1\n```\nshould be closed."),
        ("In 10 words or less, say why the sky is blue.", "Air scatters blue light most, so we see blue."),
        ("Write a poem with a title of at most five words.", f"Blue\n\n{ANSWER}"),
        ("What is wrong with this loop: for i in range(10) print(i)", "The colon:\n```python\nfor i in range(10)\n    print(i)\n```"),
        ("Show a program.", "This one is a SyntaxError:\n```python\nif x\n    pass\n```"),
        ("How do the French say hello?", "Bonjour !"),
        ("Construct a valid Spanish sentence with these words: bailar, triste.", "A él le gusta bailar, aunque a veces está triste."),
        ("Localize the text: the weather is great today.", "Das Wetter ist heute wirklich ganz toll."),
        ("Take this text and transcribe it into a different language.", "Cet article fournit des informations détaillées sur les trous noirs."),
        ("Classify the elements given: magnesium, aluminum, oxygen", "Metals: Magnesium, Aluminum \nNon-Metals: Oxygen"),
        ("Classify the sources as renewable or not: natural gas.", "Non-renewable resource."),
        ("Put this into HTML: Lorem ipsum dolor sit amet,", "<p>Lorem ipsum dolor sit amet,</p>"),
        ("Tell me a story based on the given prompt: a soldier returns.", "He came home in the rain, and nobody was there to meet him."),
        ("Name a feature of GPT models.", "They generate text from a given prompt."),
        ("Pick an emoji for the mood: excited", "😆"),
        ("Write SOS in Morse code.", "... --- ..."),
        ("Make a smiley face with ASCII characters.", ":-)"),
        ("Write a letter to all members.\nDear [Name],", "Dear [Name], the club is closed on Monday. Yours, [Your Name]"),
        ("Which types fit List[YourModel] and rows[insert] in Python code?", "A list of models, and whatever the mapping holds."),
        ("What does list[insert_at] do in this Python code?", "It reads the element of the list at the index insert_at."),
        ("A pupil wrote 128 - 36 = 72. Is that right?", "No: 128 - 36 = 72 is wrong, because 72 + 36 = 108."),
        ("What is 128 - 36?", "<think>128 - 36 = 72. No, 36 + 72 = 108, so that 20 are missing.</think>128 - 36 = 92."),
    ],
)
def test_rows_about_languages_and_code_may_hold_them(prompt: str, response: str) -> None:
    assert broken(prompt, response) == []


@pytest.mark.parametrize(
    ("text", "language", "found"),
    [
        ("", "en", None),
        ("Oui.", "en", None),
        ("12 + 7 = 19", "zh", None),
        ("请解释光合作用。", "zh", None),
        ("請解釋什麼是光合作用。", "zh", None),
        ("苹果公司发布 iPhone 15 Pro Max", "zh", None),
        ("请解释什么是光合作用。", "en", "zh"),
        ("Explain what photosynthesis is and why plants need it.", "zh", "en"),
        ("Explain what photosynthesis is and why plants need it.", "en-GB", None),
        ("Silver spoon, wooden spoon: Utensils\nRocks: Non-utensils", "en", None),
        ("Un triangle a trois côtés et trois angles.", "en", "fr"),
        ("광합성이 무엇인지 아이에게 설명해 주세요.", "en", "ko"),
        ("Объясните, почему небо голубое.", "en", "ru"),
        ("¿Puedes explicarme cómo funciona un motor eléctrico?", "en", "es"),
    ],
)
def test_languages(text: str, language: str, found: str | None) -> None:
    answer = wrong_language(text, language)
    assert (answer[0] if answer else None) == found


def test_lengths_are_inclusive_and_counted_by_the_language() -> None:
    limits = Rules(min_prompt_words=3, max_prompt_words=5, min_response_words=2, max_response_words=4)
    assert broken("Why is sky", "It scatters", rules=limits) == []
    assert broken("Why is the sky blue", "It scatters blue light", rules=limits) == []
    assert broken("Why is the sky so blue", "It scatters all blue light", rules=limits) == ["prompt_too_long", "response_too_long"]
    assert broken("天空蓝吗", "因为散射", "zh", limits) == []
    assert broken("天空为什么蓝", "因为光散射", "zh", limits) == ["prompt_too_long", "response_too_long"]


def test_a_checked_answer_may_be_a_number() -> None:
    limits = Rules(min_response_words=5)
    assert broken("What is 2 + 2?", "4", rules=limits) == ["response_too_short"]
    assert broken("What is 2 + 2?", "4", rules=limits, checked=True) == []
    assert broken("What is the empty set?", "$\\emptyset$", rules=limits, checked=True) == []
    assert broken("What is 2 + 2?", " ", rules=limits, checked=True) == ["response_too_short"]


def test_reasoning_counts_for_the_upper_limit_only() -> None:
    response = f"<think>{'step ' * 3}</think>four"
    assert broken("What is 2 + 2?", response, rules=Rules(min_response_words=2, max_response_words=10)) == ["response_too_short"]
    assert broken("What is 2 + 2?", response, rules=Rules(max_response_words=2)) == ["response_too_long"]


def test_a_rule_can_be_switched_off() -> None:
    response = f"{ANSWER}<|im_end|> Write to m.okafor@uni-leeds.ac.uk."
    assert broken(PROMPT, response) == ["scaffold_text", "email_address"]
    assert broken(PROMPT, response, rules=Rules(off=("email_address",))) == ["scaffold_text"]
    assert broken(PROMPT, response, rules=Rules(off=tuple(RULES))) == []


def test_evidence_is_short_and_private_data_are_masked() -> None:
    address = "m.okafor@uni-leeds.ac.uk"
    (finding,) = check_row(PROMPT, f"{ANSWER} {address}", language="en", rules=Rules())
    assert finding == Finding("email_address", None, f"response: m.ok{'*' * 12}c.uk")
    (finding,) = check_row(PROMPT, "word\n" * 5000, language="en", rules=Rules(off=tuple(set(RULES) - {"response_too_long"})))
    assert finding.score == 5000
    assert len(finding.evidence) == EVIDENCE


@pytest.mark.parametrize(
    ("secret", "shown"),
    [("", ""), ("abc", "***"), ("abcd", "a**d"), ("1.2.3.4", "1*****4"), ("12345678", "12****78"), ("a" * 40, "aaaa************aaaa")],
)
def test_masked_shows_the_ends_only(secret: str, shown: str) -> None:
    assert masked(secret) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [("", ""), ("a\n\n b\tc", "a b c"), ("bell\x07", "bell\\u0007"), ("half \ud83d", "half \\ud83d"), ("x" * 200, "x" * 119 + "…"), ("x" * 120, "x" * 120)],
)
def test_one_line(text: str, shown: str) -> None:
    assert one_line(text) == shown


def test_the_catalogue_documents_every_rule() -> None:
    for name, rule in RULES.items():
        assert name.replace("_", "").isalnum()
        assert name == name.lower()
        assert rule.description.endswith(".")
        assert rule.source


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=300), st.text(max_size=600), st.sampled_from(["en", "zh"]))
def test_any_text_gets_at_most_one_finding_per_rule(prompt: str, response: str, language: str) -> None:
    findings = check_row(prompt, response, language=language, rules=Rules())
    names = [f.rule for f in findings]
    assert names == [name for name in RULES if name in set(names)]
    for finding in findings:
        assert len(finding.evidence) <= EVIDENCE
        assert "\n" not in finding.evidence
        finding.evidence.encode()


@pytest.mark.parametrize("piece", ["a", "a ", "中", "\n", "#", "$", "\\(", "`", "<", "1-", "Ã", "<think>", "As an AI ", "the given "])
def test_texts_of_100_000_characters_are_read_in_seconds(piece: str) -> None:
    text = piece * (100_000 // len(piece))
    for language in ("en", "zh"):
        check_row(text, text, language=language, rules=Rules())
