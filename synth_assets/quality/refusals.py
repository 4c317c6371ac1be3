"""Answers that decline: what a teacher says instead of answering, in English and Chinese.

Only the opening of an answer is read, from its very first letter: a refusal opens with refusing, whereas a letter, a story or a quotation that
contains the same words opens otherwise. Where the prompt asks for a message to be written, "I'm sorry, but I can't make it" may be that message,
so that only refusals which speak of the model, of the request or of a policy count there. Invariant: nothing past `OPENING` characters matters.

Measured: 37 of 52,002 Alpaca answers are flagged, and all of them refuse; of 4,000 answers of ten models to AlpacaEval's
prompts 42, a few of which go on to answer after "As an AI language model, I". Those are unwanted too.
"""

import re

__all__ = ["OPENING", "find_refusal"]

OPENING = 240
"""Characters of an answer in which a refusal stands."""

_MARKUP = r"[\s*_>#]*"

_AI = r"(?:ai|artificial\s+intelligence)"
_MODEL = rf"(?:an?\s+)?(?:(?:large\s+)?language\s+model(?:\s+ai)?|{_AI}(?:\s+(?:language\s+)?(?:model|assistant|chatbot|system|program))?)"
_BE_SORRY = r"(?:i['’]?m|i\s+am|we['’]?re)\s+(?:(?:so|very|really|truly|terribly|deeply)\s+)?(?:sorry|afraid)"
_SORRY = rf"(?:(?:no,?\s+)?(?:{_BE_SORRY}|i\s+apologi[sz]e|(?:my\s+)?apologies|sorry|unfortunately|regrettably)[*_,.!:;\s]+(?:but\s+)?(?:i['’]m\s+afraid\s+)?)"
_NOT = r"(?:do\s+not|don['’]?t)"
_CANNOT = (
    r"i(?:['’]?m|\s+am)?\s+(?:(?:simply|just|really|currently|actually)\s+)?(?:can(?:['’]?t|not|\s+not)|(?:not\s+|un)able\s+to|will\s+not|won['’]?t"
    r"|not\s+(?:allowed|permitted|programmed|designed|comfortable|in\s+a\s+position)(?:\s+to)?|must\s+(?:respectfully\s+)?(?:decline|refuse)(?:\s+to)?"
    rf"|{_NOT}\s+(?:feel\s+comfortable|have\s+the\s+(?:ability|capability|capacity)\s+to))"
)
_ANSWER_VERB = r"(?:assist|comply|fulfil|answer|respond|complet|continue|process|help)\w*"
_REQUEST = r"(?:(?:that|this|your|the|such)\s+(?:\w+\s+)?(?:requests?|questions?|tasks?|prompts?|instructions?|quer\w+)|with\s+(?:that|this)\b|requests?\b)"
_POLICY = r"(?:illegal|unlawful|harmful|unethical|inappropriate|violat\w*|guidelines|copyright\w*|dangerous|deceiv\w*|deceptive|break\s+the\s+law)"
_OFFERED_VERB = (
    r"(?:(?:assist|comply|fulfil|engag|participat|answer|discuss|provid|creat|generat|produc|writ|rewrit|reproduc|recommend|complet|perform|process|access|brows)\w*"
    r"|respond\s+to|offer|give\s+(?:you|advice|an?)|support\s+(?:you|this|that)|do\s+(?:that|this|so)"
    r"|help(?!\s+(?:but|feeling|it|myself|wondering|noticing|thinking)))"
)
_NOTHING = r"(?:(?:[<\[(]\s*)?(?:no[\s_-]?(?:in|out)put(?:\s+possible)?|n/a)\b[\s>\])(,.:;–-]*(?:because\s+)?)"
"""Alpaca's placeholder before the reason: "<nooutput> This type of instruction cannot be fulfilled ..."."""
_CANNOT_BE = r"(?:can(?:\s*not|['’]?t)(?:\s+be)?|is\s+not\s+suitable|is\s+not\s+possible)"
_UNSEEN = r"(?:real|the\s+internet|current|live|external|up-to-date|any\s+previous|detailed\s+information|a\s+full)"
_INNER = r"(?:feelings|emotions|personal\s+(?:opinions|preferences|experiences|feelings|beliefs))"

_SORRY_ZH = r"(?:(?:非常|很|真的|十分|实在)?(?:抱歉|对不起|不好意思|遗憾)[，,。!！：:\s]*(?:但是?|不过|可是)?[，,\s]*)"
_MODEL_ZH = r"(?:一个|一名|一款|一位)?(?:大型|大)?(?:AI|人工智能|语言模型|语言大模型)(?:语言模型|大模型|模型|智能助手|助手|助理|程序|系统|聊天机器人|机器人)?"
_CANNOT_ZH = r"我(?:目前|暂时|现在|确实|并)?(?:无法|不能够?|没有?办法|没法|不会|不可以|不被允许)"
_REQUEST_ZH = r"(?:这个|该|您的?|你的?|此类?|这样的|这类)(?:问题|请求|要求|内容|任务|指令|提问)"


def _opening(*patterns: str) -> re.Pattern[str]:
    return re.compile(rf"{_MARKUP}(?:{'|'.join(patterns)})", re.IGNORECASE)


_OF_THE_MODEL = _opening(
    # It names itself before it says what it has, thinks or cannot do.
    rf"{_SORRY}?(?:as|being)\s+{_MODEL}\s*[,;:]?\s*(?:i\b|my\b)",
    rf"{_SORRY}?i(?:['’]?m|\s+am)\s+(?:just\s+|only\s+)?{_MODEL}\b[^.!?\n]{{0,60}}\b(?:can(?:['’]?t|not)|unable|not\s+able|{_NOT})\b",
    # It declines the request as such, or for a policy.
    rf"{_SORRY}?{_CANNOT}[^.!?\n]{{0,40}}\b{_ANSWER_VERB}\b[^.!?\n]{{0,20}}\b{_REQUEST}",
    rf"{_SORRY}?{_CANNOT}\b[^.!?\n]{{0,120}}\b{_POLICY}\b",
    rf"(?:{_SORRY}|{_NOTHING})*th(?:is|e)\s+(?:type\s+of\s+)?(?:request|task|instruction|prompt)\s+(?:{_CANNOT_BE}|violates|involves\s+creating)\b",
    rf"{_SORRY}th(?:is|e)\s+(?:request|task|instruction|prompt)\s+(?:involves|requires)\b",
    rf"{_SORRY}this\s+{_CANNOT_BE}\s+(?:be\s+)?(?:done|performed|completed)\b",
    rf"{_SORRY}?unable\s+to\s+(?:perform|complete|fulfil)\w*\s+th(?:is|e)\s+(?:request|task|instruction|prompt)",
    rf"{_NOTHING}[^.!?\n]{{0,80}}\b(?:{_CANNOT_BE}|not\s+a\s+suitable)\b",
    # It lacks what only a person or a browser has.
    rf"{_SORRY}?i\s+{_NOT}\s+(?:actually\s+)?(?:have|experience)\s+(?:any\s+)?(?:access\s+to\s+{_UNSEEN}|{_INNER})",
    rf"{_SORRY_ZH}?(?:作为|身为){_MODEL_ZH}[，,\s]*我",
    rf"{_SORRY_ZH}?我(?:只是|仅仅是|是){_MODEL_ZH}[，,。\s]*(?:所以|因此)?[，,]?我?(?:无法|不能|没有)",
    rf"{_SORRY_ZH}?{_CANNOT_ZH}[^。！？\n]{{0,12}}{_REQUEST_ZH}",
)
_OF_ANY_VOICE = _opening(
    rf"{_SORRY}?{_CANNOT}\s+(?:in\s+good\s+conscience\s+|directly\s+|actually\s+|personally\s+)*{_OFFERED_VERB}\b",
    rf"{_SORRY}(?:this|that|your|the)\s+(?:request|question|prompt|instruction|input)\s+(?:is|does|violates|goes|cannot|seems|appears)\b",
    rf"{_SORRY_ZH}?{_CANNOT_ZH}(?:直接|为您|为你|给您|给你|帮您|帮你)?(?:提供|协助|帮助|回答|满足|生成|处理|执行|创作|讨论|给出|访问|浏览)",
    rf"{_SORRY_ZH}(?:您|你|这个|该)的?(?:问题|请求|要求|内容|提问)",
)

_MAY_OPEN = re.compile(
    rf"{_MARKUP}(?:i\b|im\b|we|sorry|no|n/a|my\b|as\b|being\b|unf|reg|apol|unable"
    r"|th(?:is|e)\s+(?:type|request|task|instruction|prompt)|[<\[(]|[^\x00-\x7f])",
    re.IGNORECASE,
)
"""How every refusal begins. Three answers in four do not, which is seen in a tenth of the time that the patterns themselves take."""

_ASKS_FOR_A_MESSAGE = re.compile(
    r"\b(?:e-?mail|letter|message|reply|replies|response|note|tweet|post|apolog|excuse|dialog|convers|script|story|poem|lyrics|monologue|speech|role-?play|sentence|"
    r"refus|declin|reject|rewrit|paraphras|translat|rephras|edit|correct|summari[sz]|complete\s+the)"
    r"|邮件|信件|写.{0,6}信|消息|短信|回复|道歉|对话|剧本|故事|诗|台词|发言|拒绝|婉拒|改写|翻译|句子|造句|扮演",
    re.IGNORECASE,
)


def find_refusal(prompt: str, answer: str) -> tuple[int, int] | None:
    """Where `answer` (without its reasoning) declines what `prompt` asks: start and end, or None.

    A refusal in any voice ("I can't provide ...") does not count where the prompt asks for a text that could say it.
    """
    opening = answer[:OPENING]
    if not _MAY_OPEN.match(opening):
        return None
    match = _OF_THE_MODEL.match(opening)
    if match is None and not _ASKS_FOR_A_MESSAGE.search(prompt):
        match = _OF_ANY_VOICE.match(opening)
    return match.span() if match else None
