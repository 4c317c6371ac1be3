"""Text that belongs to the machinery and not to the answer: chat templates, prompt scaffolds, canned phrases, broken encodings.

Each function finds one kind and returns where it is. Scaffold words are those of our own prompts and of the published methods
(Evol-Instruct's fourth elimination rule, arXiv 2304.12244); special tokens are those of the common chat templates. Invariant: texts are read as
they are, never normalised first, because normalising would repair or hide what is looked for.
"""

import re
from typing import NamedTuple

__all__ = ["Thinking", "find_boilerplate", "find_encoding_damage", "find_missing_input", "find_scaffold", "split_thinking"]

Span = tuple[int, int]

_SCAFFOLD = re.compile(
    r"""
      <\|[a-z][a-z0-9_]{1,30}\|>                                # <|im_start|>, <|endoftext|>, <|eot_id|>, <|user|>
    | <｜[^<>｜\n]{1,40}｜>                                       # DeepSeek's, with full-width bars
    | \[/?INST\] | <</?SYS>>                                    # Llama 2, Mistral
    | </?(?:start|end)_of_turn> | <(?:bos|eos)> | </s>\s*\Z     # Gemma, Llama
    | ^[ \t]*\#{2,}[ \t]*(?:instruction|response|human|assistant|system)s?[ \t]*(?::|$)   # Alpaca's and Vicuna's headings
    | (?<!\#)\#{1,6}[ \t]{0,4}(?:the[ ])?(?:given|rewritten|created|new|original|evolved)[ ](?:prompt|instruction)[ \t]*(?:\#|:)
    | ^[ \t*]*(?:the[ ])?given[ ]prompt[ ]?[\#:] | \b(?:rewritten|created)[ ]prompts?\b   # Evol-Instruct, elimination rule 4
    | <\s*no[ _-]?(?:in|out)put\b[^<>\n]{0,80}> | ^[ \t]*\[?no[ _]?input(?:[ ](?:needed|required|provided))?\]?\.?[ \t]*$   # Alpaca's form for nothing
    | (?:给定|改写后|重写后|改写|重写|新建|进化后)的?(?:提示词?|指令)\s*[\#：:]
    | (?:给定的|改写后的|重写后的|进化后的)(?:提示|指令)
    """,
    re.VERBOSE | re.IGNORECASE | re.MULTILINE,
)

_HINTS = ("<", "##", "prompt", "instruction", "input", "inst]", "提示", "指令")
"""One of these stands in whatever `_SCAFFOLD` finds: to look for them first takes a fifth of the time of looking for it."""

_MISSING_INPUT = re.compile(
    r"(?<!\w)\[(?:(?i:insert|attach|paste|upload)\b[^\]\n]{0,60}|Your[A-Z]\w{2,30}|请?在?此?处?(?:插入|粘贴|上传|填写)[^\]\n]{0,30})\]|【请?在?此?处?(?:插入|粘贴|上传|填写)[^】\n]{0,30}】"
)

_SELF_REFERENCE = re.compile(r"\bthe[ ]given[ ]prompts?\b", re.IGNORECASE)

_BOILERPLATE = re.compile(
    r"""
      \blorem\s+ipsum\s+dolor\b                                 # C4's page rules (Raffel et al. 2020)
    | \b(?:enable|requires?)\s+javascript\b | \bwe\s+use\s+cookies\b | \bskip\s+to\s+(?:main\s+)?content\b
    | \b(?:as\s+of|up\s+to|since)\s+my\s+(?:last|latest|most\s+recent)?\s*(?:knowledge|training)[\s-]*(?:update|cut-?off|data)\b
    | \bmy\s+(?:last\s+|latest\s+)?(?:knowledge|training)(?:\s+data)?\s+(?:cut-?off|ends?\b|only\s+goes|was\s+last\s+updated)
    | \bi\s+(?:was|am|have\s+been)\s+(?:an?\s+[\w\s]{0,30})?(?:created|trained|developed|made|built)\s+by\s+
        (?:openai|anthropic|google|deepmind|meta\b|microsoft|alibaba|mistral|laion|cohere|deepseek|hugging\s*face)
    | \bi(?:['’]?m|\s+am)\s+(?:chatgpt|gpt-?[345]|claude|gemini|bard|llama|qwen|mistral|deepseek|smollm|vicuna)\b
    | 截至(?:我的|我最后|我上次)(?:的)?(?:知识|训练|更新) | 我的(?:知识|训练数据)(?:库)?(?:截止|更新至|只到)
    | 我是(?:由)?(?:OpenAI|Anthropic|谷歌|阿里(?:巴巴|云)?|百度|腾讯|深度求索|智谱|月之暗面)[^。\n]{0,12}(?:开发|训练|创建|研发|推出)
    | 我(?:是|叫)(?:ChatGPT|通义千问|文心一言|DeepSeek|豆包|Kimi|Claude)
    """,
    re.VERBOSE | re.IGNORECASE,
)

_DAMAGE = re.compile(
    "[\ufffd\ufffe\uffff\ud800-\udfff]"  # the replacement character, noncharacters, half a surrogate pair
    "|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"  # control characters other than tab and newlines
    # UTF-8 read as Latin-1 or Windows-1252: a lead byte's letter, then a continuation byte's sign where a letter would follow in a word.
    "|[ÂÃ][\u00a0-\u00bf\u2018-\u201e\u2020-\u2026\u2030\u2039\u203a\u20ac\u2122\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc]"
    "|â€.|â\u0080|ï»¿|ðŸ.|[äåæçèé][\u00a0-\u00bf\u2018-\u201e\u2020-\u2026\u2030\u2039\u203a\u20ac\u2122]{2}"
    "|锟斤拷|烫烫烫|屯屯屯"  # the same for GBK, and MSVC's uninitialised memory
)

_THINK_TAG = re.compile(r"</?think>")
_THINKING = re.compile(r"\s*<think>(?P<thinking>.*?)</think>(?P<answer>.*)", re.DOTALL)


class Thinking(NamedTuple):
    """A response in its two parts."""

    thinking: str
    """What stands inside <think>; empty where there is none, or its form is wrong."""
    answer: str
    """The rest; the whole response where its form is wrong."""
    fault: str
    """What is wrong with the form, in words; empty for none."""


def find_scaffold(text: str, *, is_prompt: bool = False) -> Span | None:
    """Where `text` shows a chat template's special token or a prompt's scaffold words.

    A person may ask for "a story based on the given prompt" (20 of 52,002 Alpaca prompts do); an answer that says so speaks of its own prompt.
    """
    folded = text.casefold()
    if not any(hint in folded for hint in _HINTS):
        return None
    match = _SCAFFOLD.search(text) or (None if is_prompt else _SELF_REFERENCE.search(text))
    return match.span() if match else None


def find_missing_input(prompt: str) -> Span | None:
    """Where `prompt` says what was to be put in, and was not: "[Insert article]"."""
    match = _MISSING_INPUT.search(prompt)
    return match.span() if match else None


def find_boilerplate(text: str, prompt: str = "") -> Span | None:
    """Where `text` speaks of the teacher's maker or training, or is furniture of a web page: nothing that a student should learn to say.

    What `prompt` says itself, such as a filler text to be set in HTML, is the user's.
    """
    asked = prompt.casefold()
    return next((match.span() for match in _BOILERPLATE.finditer(text) if match.group().casefold() not in asked), None)


def find_encoding_damage(text: str) -> Span | None:
    """Where `text` holds characters that only a wrong decoding or a binary leaves."""
    match = _DAMAGE.search(text)
    return match.span() if match else None


def split_thinking(response: str) -> Thinking:
    """Reasoning and answer of `response`, in the form of DeepSeek-R1: one leading <think> block that is not empty, then an answer.

    A response without any think tag is all answer and has no fault.
    """
    tags = _THINK_TAG.findall(response)
    if not tags:
        return Thinking("", response, "")
    match = _THINKING.fullmatch(response)
    if tags != ["<think>", "</think>"]:
        fault = f"{tags.count('<think>')} opening and {tags.count('</think>')} closing tags, wanted one of each in this order"
    elif match is None:
        fault = "text before <think>"
    elif not match["thinking"].strip():
        fault = "nothing inside <think>"
    elif not match["answer"].strip():
        fault = "no answer after </think>"
    else:
        return Thinking(match["thinking"].strip(), match["answer"].strip(), "")
    return Thinking("", response, fault)
