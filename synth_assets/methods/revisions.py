"""What a revision must be: an answer to the prompt, and no word about an answer that its reader never saw.

Models present what they revised ("A more detailed answer: ..."), which is taken off, and small ones tell of it instead of writing it ("The answer
provides more detail about ..."): of 28 revisions of a 135M teacher 7 told. Who learns from such a pair learns to speak of answers.
Of Alpaca's 52,002 answers none is taken for either.
"""

import re

__all__ = ["speaks_of_an_answer", "without_presentation"]

_KIND = r"(?:more \w+|better|improved|revised|rewritten|corrected|clearer|updated|new|shorter|longer)"
_IS = r"(?:\s+(?:is|(?:would|could|might|can|may)\s+(?:be|have been)))"
_ABOUT = r"(?:\s+(?:of|with|to|for|in)\s+[^:：.\n]{1,40}?)"
_COLON = r"[*_]{0,2}\s?[:：][*_]{0,2}\s*"
_PRESENTED = re.compile(
    r"\A\W*(?:(?:sure|certainly)[,!.]\s*)?(?:here(?:['’]s| is)\s+)?(?:(?:an?|the|my)\s+)?"
    rf"{_KIND}\s+(?:answer|response|version|revision){_ABOUT}?{_IS}?{_COLON}"
    rf"|\A\W*(?:the|my)\s+(?:answer|response){_ABOUT}?{_IS}{_COLON}"
    rf"|\A\W*(?:以下是|这是)?(?:修改|修订|改进|改写|更正|更\w{{1,3}})后?的?(?:回答|答案|版本)(?:是|如下)?{_COLON}",
    re.IGNORECASE,
)

_TOLD = re.compile(
    rf"\A\W*(?:(?:the|this|my|your)\s+(?:(?:original|given|provided|above|previous|{_KIND})\s+)?(?:answer|response|revision)\s+"
    r"(?:treats|demonstrates|advises|allows|provides|says|states|gives|shows|explains|uses|does|has|needs|should|could|must|addresses|focuses|includes|lacks"
    r"|avoids|mentions|follows|emphasi[sz]es|highlights|suggests|acknowledges|offers|contains|describes|makes|takes|fails|tries)\b"
    rf"|(?:an?|the)\s+{_KIND}\s+(?:answer|response|revision|version(?!\s+of\b)){_ABOUT}?\s+(?:would|could|might|should|can|may|is|will)\b)"
    r"|\A\W*(?:这个|该|此|上述|原)(?:回答|答案|回复)(?:应该?|可以|没有|过于|比较|提供|缺|忽略|解释|说明|强调|需要|未)",
    re.IGNORECASE,
)


def without_presentation(text: str) -> str:
    """The revision itself."""
    return _PRESENTED.sub("", text)


def speaks_of_an_answer(text: str) -> bool:
    """Whether a text begins as one that tells of an answer."""
    return _TOLD.match(text) is not None
