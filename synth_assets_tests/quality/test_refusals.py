import pytest

from synth_assets.quality.refusals import OPENING, find_refusal

QUESTION = "How do I remove a stain?"


@pytest.mark.parametrize(
    "answer",
    [
        "I'm sorry, but I can't assist with that.",
        "I’m sorry, I cannot help you with this request.",
        "I am sorry, but I am unable to provide medical advice.",
        "Sorry, I can't provide that information.",
        "I apologize, but I do not feel comfortable generating such a list.",
        "Unfortunately, I cannot fulfill this request.",
        "As an AI language model, I don't have personal opinions.",
        "As a large language model, I do not have access to the internet.",
        "I'm sorry, but as an AI assistant, I have no way to know.",
        "I'm just an AI and I can't feel pain.",
        "I cannot create a picture of the solar system.",
        "I must decline to answer this question.",
        "I will not provide any information about illegal activities.",
        "I'm not able to access real-time data.",
        "I do not have personal feelings or beliefs.",
        "This task cannot be completed by the model.",
        "Sorry, the task involves visual information. Due to the unreliable generation of the model, we cannot complete this task.",
        "Sorry, this cannot be done as it involves creating a visual output.",
        "Unable to perform this task as it requires visual creative output.",
        "N/A (GPT model cannot take any action)",
        "No Output, GPT model cannot create visuals.",
        "<nooutput - cannot create a visual output>",
        "<noinput> \n\nThe instruction cannot be completed by a GPT model.",
        "**I'm sorry**, but I can't help with that.",
        "抱歉，我无法回答这个问题。",
        "很抱歉，我不能提供这类信息。",
        "对不起，作为一个AI语言模型，我没有个人感受。",
        "作为人工智能助手，我无法访问互联网。",
        "我无法提供医疗建议。",
        "我不能协助您完成这个请求。",
        "我是一个语言模型，无法浏览网页。",
    ],
)
def test_refusals_are_found(answer: str) -> None:
    assert find_refusal(QUESTION, answer) is not None


@pytest.mark.parametrize(
    ("prompt", "answer"),
    [
        (QUESTION, ""),
        (QUESTION, "4"),
        (QUESTION, "I'm sorry for your loss."),
        (QUESTION, "I'm sorry to hear about the stain. Try vinegar."),
        (QUESTION, "I can't help but notice that the stain is old."),
        (QUESTION, "I can't wait to tell you: vinegar."),
        (QUESTION, "I don't have a preference: both work."),
        (QUESTION, "As an AI researcher, I would use vinegar."),
        (QUESTION, "\"I'm sorry, but I can't assist with that\" is what a model says when it declines."),
        (QUESTION, "A language model cannot do this."),
        (QUESTION, "Use vinegar. I'm sorry, but I can't help with ink."),
        (QUESTION, "Unfortunately, the stain cannot be removed."),
        ("Draft an e-mail that declines an invitation.", "I'm sorry, but I can't make it on Friday."),
        ("Write a reply to a supplier.", "I am sorry, but we cannot accept the price."),
        ("Write a reply to a supplier.", "I cannot provide you with the figures before Monday."),
        ("Write an apology.", "I apologize for the delay."),
        ("为客户写一封邮件", "非常抱歉，我不能提供发票，因为系统正在维护。"),
        ("什么是语言模型？", "语言模型是一种预测文本的模型。"),
        ("介绍你的工作", "作为一个AI产品经理，我每天写需求。"),
        ("天气如何？", "抱歉让您久等了，今天晴。"),
    ],
)
def test_other_answers_are_not(prompt: str, answer: str) -> None:
    assert find_refusal(prompt, answer) is None


def test_a_message_may_decline_but_not_refuse_to_be_written() -> None:
    prompt = "Write a letter to my landlord."
    assert find_refusal(prompt, "I'm sorry, but I cannot fulfil this request.") is not None
    assert find_refusal(prompt, "As an AI language model, I cannot write letters.") is not None


def test_only_the_opening_is_read() -> None:
    assert find_refusal(QUESTION, "x" * OPENING + " I'm sorry, but I can't assist with that.") is None
    assert find_refusal(QUESTION, "I'm sorry, but I can't assist with that." + "x" * 100_000) is not None


def test_the_span_is_what_was_found() -> None:
    span = find_refusal(QUESTION, "I must decline to answer this question.")
    assert span is not None
    assert "I must decline to answer this question."[slice(*span)].startswith("I must decline to answer")
