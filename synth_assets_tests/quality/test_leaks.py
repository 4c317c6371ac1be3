import pytest

from synth_assets.quality.leaks import find_boilerplate, find_encoding_damage, find_scaffold, split_thinking


@pytest.mark.parametrize(
    "text",
    [
        "Sure.<|im_end|>\n<|im_start|>user",
        "The end<|endoftext|>",
        "<｜User｜>hello",
        "[INST] Say hi [/INST]",
        "<<SYS>>be kind<</SYS>>",
        "Fine.<end_of_turn>",
        "Done </s>",
        "### Instruction:\nName a bird.",
        "Some text\n### Response:",
        "### Human: hi",
        "#The Given Prompt#:\nName a bird.",
        "#Rewritten Prompt#",
        "The rewritten prompt asks for more.",
        "Here is the given prompt again.",
        "Given prompt: name a bird.",
        "<noinput>",
        "Name a bird.\n\nNo input required",
        "<no output> (This is no suitable instruction)",
        "改写后的提示：说出三种鸟。",
        "#给定提示#：",
    ],
)
def test_scaffold_is_found(text: str) -> None:
    assert find_scaffold(text) is not None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Be prompt.",
        "It makes text from a given prompt.",
        "There was no input from the board.",
        "a < b | c > d",
        "Use <s>strike</s> in HTML and go on.",
        "# Response times\nThey vary.",
        "Follow the instruction: mix well.",
        "An array [1, 2] and a list",
        "请给出提示。",
        "#" * 1000,
    ],
)
def test_other_text_is_no_scaffold(text: str) -> None:
    assert find_scaffold(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "Lorem ipsum dolor sit amet",
        "Please enable JavaScript to go on.",
        "As of my last knowledge update in 2023, it was open.",
        "My training data only goes to 2021.",
        "I was trained by OpenAI to help.",
        "I'm Claude, an assistant.",
        "截至我的知识更新日期，",
        "我是由阿里云开发的助手。",
        "我是通义千问。",
    ],
)
def test_boilerplate_is_found(text: str) -> None:
    assert find_boilerplate(text) is not None


@pytest.mark.parametrize(
    "text",
    ["", "Claude Monet painted water lilies.", "OpenAI trained GPT-4.", "I was made by hand.", "他是百度的工程师。", "Training data matters."],
)
def test_other_text_is_no_boilerplate(text: str) -> None:
    assert find_boilerplate(text) is None


@pytest.mark.parametrize(
    "text",
    ["caf\ufffd", "cafÃ©", "donâ€™t", "ï»¿start", "ðŸ˜€", "Â£5", "bell\x07", "nul\x00", "\x85", "half \ud83d pair", "ä¸­æ–‡", "锟斤拷锟斤拷"],
)
def test_encoding_damage_is_found(text: str) -> None:
    assert find_encoding_damage(text) is not None


@pytest.mark.parametrize(
    "text",
    ["", "tab\tnewline\r\n", "café, naïve, NÃO, São, à la carte", "â", "Ã", "中文，标点。", "😀 𠀀", "£5 ½ “quoted”", "Çedilla è é"],
)
def test_good_characters_are_not_damage(text: str) -> None:
    assert find_encoding_damage(text) is None


@pytest.mark.parametrize(
    ("response", "thinking", "answer"),
    [
        ("", "", ""),
        ("Four.", "", "Four."),
        ("<think>2 + 2</think>Four.", "2 + 2", "Four."),
        ("\n<think>\n2 + 2\nis 4\n</think>\n\nFour.\n", "2 + 2\nis 4", "Four."),
    ],
)
def test_thinking_and_answer(response: str, thinking: str, answer: str) -> None:
    assert split_thinking(response) == (thinking, answer, "")


@pytest.mark.parametrize(
    ("response", "fault"),
    [
        ("<think>2 + 2", "1 opening and 0 closing"),
        ("2 + 2</think>Four.", "0 opening and 1 closing"),
        ("<think>a</think><think>b</think>c", "2 opening and 2 closing"),
        ("</think>a<think>b", "1 opening and 1 closing"),
        ("Well <think>a</think>b", "text before"),
        ("<think> \n</think>b", "nothing inside"),
        ("<think>a</think> \n", "no answer"),
    ],
)
def test_wrong_forms_say_what_is_wrong(response: str, fault: str) -> None:
    parts = split_thinking(response)
    assert fault in parts.fault
    assert parts.answer == response
    assert parts.thinking == ""
