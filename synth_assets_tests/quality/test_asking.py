import pytest

from synth_assets.domain_files import list_domain_names, load_domain, shipped_folder
from synth_assets.quality.asking import asks


@pytest.mark.parametrize(
    "text",
    [
        "Name three birds of prey.",
        "three birds of prey?",
        "Briefly explain the tides.",
        "Reply to the email politely.",
        "Given a list of words, sort them by length.",
        "I need help with this sum.",
        "A train leaves at nine. How far does it get by noon",
        "You need to write a letter to your sister.",
        "The text below has mistakes; correct them.",
        "1. Compare tea and coffee.",
        "Is a whale a fish",
        "How do the French say 'How can I help you?'",
        'Rewrite the sentence: "I would be happy to help you."',
        "Sure-footed animals: name three.",
        "Sure, cats are cute. Name three reasons why dogs are better.",
        "Translate this sentence into French:\nHow can I help you today?",
        "Paraphrase the sentence.\n\nI would be happy to help.",
        "Classify the sentence as formal or informal. How can I help you?",
        "You are right behind the second runner and pass him. What place are you in?",
        "This is a good example of irony. Explain why.",
        "I'm happy to pay more. Which of these should I choose? Feel free to ask me for more.",
    ],
)
def test_a_question_or_a_request_is_seen(text: str) -> None:
    assert asks(text, "en")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "You're right, the answer would indeed be 8 cm, not 9 cm.",
        "A flower shop has 270 flowers, but they only have 36 petals left. To find the rest, you need to multiply by 3. So 27 remain.",
        "To create a perfect cup of tea, we need to keep the ratio of sugar and spice.",
        "A net 30 means that a bill is paid within a month.",
        "The moon moves the sea.",
        "This is a great challenge, but please make it even more challenging.",
        "Great question! Explain the tides to a child.",
        "Certainly! Please send me the text.",
        "If you need help with your essay, please send it. I'm here to help!",
        "You've told me about your order, please go on. How can I assist you today?",
    ],
)
def test_a_statement_or_an_answer_is_no_request(text: str) -> None:
    assert not asks(text, "en")


@pytest.mark.parametrize(
    "text",
    [
        "请说出三种猛禽。",
        "鲸是鱼吗",
        "把这句话改写成被动句。",
        "列出五种水果。",
        "用英语怎么说“有什么可以帮您”？",
        "这是一个很好的例子，请分析它的修辞手法。",
        "把下面的句子翻译成英语：你好，我很乐意为您服务。",
        "为社区活动列一份准备清单。",
        "Name three birds.",
    ],
)
def test_chinese_is_seen_too(text: str) -> None:
    assert asks(text, "zh")


@pytest.mark.parametrize(
    "text", ["你说得对，正确答案应该是八厘米。", "月亮引起潮汐。", "", "这是一个很好的问题，请看下面。", "如果还有别的问题，请告诉我，我很乐意为您解答。"]
)
def test_a_chinese_statement_is_no_request(text: str) -> None:
    assert not asks(text, "zh")


@pytest.mark.parametrize("name", list_domain_names(shipped_folder()))
def test_every_shipped_seed_asks_for_something(name: str) -> None:
    loaded = load_domain(shipped_folder(), name)
    assert [seed.instruction for _, seed in loaded.seeds if not asks(seed.instruction, loaded.config.language)] == []
