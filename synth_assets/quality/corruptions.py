"""Good answers made worse in known ways: what the embedded reward model learns to order before any person has compared two answers.

Each kind spoils one property and leaves the others as they are. About as many kinds lengthen an answer as shorten it, so that length alone
orders the pairs no better than chance. Invariant: a corruption differs from the answer, and depends on texts and random source alone.
"""

import re
from collections.abc import Callable, Sequence
from random import Random

from synth_assets.quality.equations import final_number
from synth_assets.quality.reward_features import is_chinese
from synth_assets.quality.sentences import sentences
from synth_assets.quality.specifics import SPECIFIC
from synth_assets.quality.words import HAN

__all__ = ["KINDS", "corrupted"]

_TOKEN = re.compile(rf"[{HAN}]|[^\s{HAN}]+")
_MARKS = re.compile(r"^[ \t]*(?:#{1,6}[ \t]+|[-*•][ \t]+|\d{1,3}[.)、][ \t]*)|\*\*|`")
_NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")

_HOLLOW = {
    "en": (
        "Sure, here it is.",
        "Of course! I will gladly do that for you.",
        "That is a great question. There are many things to consider here, and it depends on the situation.",
        "OK.",
        "Thank you for asking. The answer follows from the question.",
        "This is an interesting topic that many people think about. It has several aspects, and each of them is important in its own way.",
    ),
    "zh": (
        "好的，以下就是。",
        "当然可以！我很乐意为您完成。",
        "这是一个很好的问题，需要考虑的方面很多，要看具体情况。",
        "好。",
        "感谢您的提问，答案就在问题之中。",
        "这是一个很有意思的话题，很多人都思考过。它有好几个方面，每个方面都有各自的重要性。",
    ),
}
_REFUSALS = {
    "en": (
        "I'm sorry, but I can't help with that request.",
        "As an AI language model, I am not able to answer this question.",
        "I cannot provide an answer to this. Please consult a professional who knows your situation.",
        "Unfortunately, I am unable to complete this task, as I don't have access to real data.",
    ),
    "zh": (
        "对不起，我无法回答这个问题。",
        "作为一个人工智能语言模型，我没有能力完成这个任务。",
        "很抱歉，我不能提供这方面的内容，请咨询专业人士。",
        "抱歉，我无法处理这个请求，因为我不能访问真实的数据。",
    ),
}
_CHATTER = {
    "en": (
        "I hope this helps!",
        "Please let me know if you have any other questions, and I will be happy to answer them.",
        "As you can see, this is the answer to what you asked.",
        "It is important to remember that every situation is different.",
        "In conclusion, the points above speak for themselves.",
        "Feel free to ask for more details at any time.",
    ),
    "zh": (
        "希望对您有所帮助！",
        "如果您还有其他问题，请随时告诉我，我会很乐意为您解答。",
        "如您所见，以上就是对您所提问题的回答。",
        "需要记住的是，每个人的情况都不一样。",
        "总而言之，以上几点已经说明了一切。",
        "如需更多细节，欢迎随时提问。",
    ),
}
_SCAFFOLDS = {
    "en": ("### Response:\n", "#Rewritten Prompt#:\n", "<|im_start|>assistant\n", "Here is the rewritten prompt. ", "### Instruction:\n"),
    "zh": ("### Response:\n", "改写后的指令：\n", "<|im_start|>assistant\n", "给定的指令如下。", "### Instruction:\n"),
}


def corrupted(kind: str, prompt: str, answer: str, others: Sequence[str], random: Random) -> str | None:
    """`answer` spoiled in the way `kind` says; None where that is impossible (nothing to shuffle, no number).

    Args:
        kind: One of `KINDS`.
        prompt: What `answer` answers.
        answer: A good answer, with at least one word.
        others: Good answers to other prompts of the same language.
        random: Draws everything.
    """
    worse = KINDS[kind](prompt, answer.strip(), others, random)
    return None if worse is None or not worse.strip() or worse.strip() == answer.strip() else worse


def _language(text: str) -> str:
    return "zh" if is_chinese(text) else "en"


def _joined(pieces: Sequence[str], answer: str) -> str:
    return ("\n" if "\n" in answer else "" if _language(answer) == "zh" else " ").join(pieces)


def _truncated(prompt: str, answer: str, others: Sequence[str], random: Random) -> str | None:
    """Cut in the middle of a sentence, as a token limit does."""
    tokens = list(_TOKEN.finditer(answer))
    if len(tokens) < 8:
        return None
    end = tokens[int(len(tokens) * random.uniform(0.3, 0.85))].end()
    return answer[:end].rstrip(".!?。！？:：,，;；")


def _opening(prompt: str, answer: str, others: Sequence[str], random: Random) -> str | None:
    """The first sentence alone."""
    pieces = sentences(answer)
    return pieces[0] if len(pieces) > 1 else None


def _thinned(prompt: str, answer: str, others: Sequence[str], random: Random) -> str | None:
    """Half of the sentences are missing, the rest stands in order."""
    pieces = sentences(answer)
    if len(pieces) < 3:
        return None
    kept = sorted(random.sample(range(len(pieces)), len(pieces) // 2))
    return _joined([pieces[i] for i in kept], answer)


def _swapped(prompt: str, answer: str, others: Sequence[str], random: Random) -> str | None:
    """The answer to another prompt."""
    return random.choice(others) if others else None


def _shuffled(prompt: str, answer: str, others: Sequence[str], random: Random) -> str | None:
    """The sentences in another order."""
    pieces = sentences(answer)
    if len(pieces) < 3:
        return None
    order = random.sample(pieces, len(pieces))
    return _joined(order if order != pieces else order[::-1], answer)


def _refusal(prompt: str, answer: str, others: Sequence[str], random: Random) -> str | None:
    """Declines."""
    return random.choice(_REFUSALS[_language(answer)])


def _hollow(prompt: str, answer: str, others: Sequence[str], random: Random) -> str | None:
    """Friendly words and nothing else."""
    return random.choice(_HOLLOW[_language(answer)])


def _foreign(prompt: str, answer: str, others: Sequence[str], random: Random) -> str | None:
    """Friendly words in another language."""
    other = "en" if _language(answer) == "zh" else "zh"
    return _joined(random.sample(_HOLLOW[other] + _CHATTER[other], 4), _HOLLOW[other][0])


def _echoed(prompt: str, answer: str, others: Sequence[str], random: Random) -> str | None:
    """The prompt instead of an answer, once or over and over."""
    return _joined([prompt] * random.choice((1, 1, 2, 3)), prompt)


def _looped(prompt: str, answer: str, others: Sequence[str], random: Random) -> str | None:
    """One sentence again and again, as small models end."""
    pieces = sentences(answer)
    stuck = random.randrange(len(pieces))
    return _joined(pieces[: stuck + 1] + [pieces[stuck]] * random.randint(3, 8), answer)


def _padded(prompt: str, answer: str, others: Sequence[str], random: Random) -> str | None:
    """All of it, and then its sentences once more."""
    pieces = sentences(answer)
    return _joined(pieces + random.sample(pieces, len(pieces)), answer)


def _chatty(prompt: str, answer: str, others: Sequence[str], random: Random) -> str | None:
    """All of it, and then phrases that say nothing."""
    return _joined([answer, *random.sample(_CHATTER[_language(answer)], random.randint(3, 6))], answer)


def _mixed_up(prompt: str, answer: str, others: Sequence[str], random: Random) -> str | None:
    """All of it, and then the answer to something else."""
    return f"{answer}\n{random.choice(others)}" if others else None


def _leaked(prompt: str, answer: str, others: Sequence[str], random: Random) -> str | None:
    """The scaffold of the request stands in the answer."""
    return random.choice(_SCAFFOLDS[_language(answer)]) + answer


def _miscalculated(prompt: str, answer: str, others: Sequence[str], random: Random) -> str | None:
    """The final number is wrong: on the answer line alone, or wherever it occurs."""
    span = final_number(answer)
    if span is None:
        return None
    right = answer[span[0] : span[1]]
    wrong = _other_number(right, random)
    if random.random() < 0.5:
        return answer[: span[0]] + wrong + answer[span[1] :]
    return _NUMBER.sub(lambda match: wrong if match.group() == right else match.group(), answer)


def _other_number(number: str, random: Random) -> str:
    position = random.choice([i for i, character in enumerate(number) if character.isdigit()])
    digit = random.choice([d for d in "123456789" if d != number[position]])
    return number[:position] + digit + number[position + 1 :]


def _vague(prompt: str, answer: str, others: Sequence[str], random: Random) -> str | None:
    """Every figure, name, quotation and bit of code has become a general word."""
    words = ("一些", "某个", "这样的") if _language(answer) == "zh" else ("some", "something", "this", "various things")
    worse = SPECIFIC.sub(lambda _: random.choice(words), answer)
    return worse if worse != answer else None


def _flattened(prompt: str, answer: str, others: Sequence[str], random: Random) -> str | None:
    """One block of text: no lists, headings, emphasis or paragraphs."""
    if "```" in answer or "\n" not in answer.strip():
        return None
    lines = (_MARKS.sub("", line).strip() for line in answer.splitlines())
    return ("" if _language(answer) == "zh" else " ").join(line for line in lines if line)


Corruption = Callable[[str, str, Sequence[str], Random], str | None]

KINDS: dict[str, Corruption] = {
    "truncated": _truncated,
    "opening": _opening,
    "thinned": _thinned,
    "swapped": _swapped,
    "shuffled": _shuffled,
    "refusal": _refusal,
    "hollow": _hollow,
    "foreign": _foreign,
    "echoed": _echoed,
    "looped": _looped,
    "padded": _padded,
    "chatty": _chatty,
    "mixed_up": _mixed_up,
    "leaked": _leaked,
    "miscalculated": _miscalculated,
    "vague": _vague,
    "flattened": _flattened,
}
"""All kinds by name."""
