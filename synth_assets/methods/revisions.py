"""What a revision must be: an answer to the prompt, and no word about an answer that its reader never saw.

Who learns from such a pair learns to speak of answers. Models present what they revised ("A more detailed answer: ...") or excuse themselves to the
critic, which is taken off, and small ones tell of it instead of writing it, before it or after it ("The answer provides more detail about ...", "It
can still be cut. Here's a revised version: ...", "This critique ..."): of 138 revisions of a 135M teacher 39 told. Of Alpaca's 52,002 answers five
are taken for either: three speak of an answer or a text because that was asked, two are apologies that were asked for; where the first answer speaks
so too, nothing is said of the revision. Code that is presented in mid-text stays, for what stands before it explains it.
"""

import re

__all__ = ["speaks_of_an_answer", "without_presentation"]

_KIND = r"(?:more \w+|better|improved|revised|rewritten|corrected|clearer|updated|new|shorter|longer)"
_IS = r"(?:\s+(?:is|(?:would|could|might|can|may)\s+(?:be|have been)))"
_ABOUT = r"(?:\s+(?:of|with|to|for|in)\s+[^:：.\n]{1,40}?)"
_COLON = r"[*_]{0,2}\s?[:：][*_]{0,2}\s*"
_VERSION = rf"(?:an?|the|my)\s+{_KIND}\s+(?:answer|response|version|revision){_ABOUT}?"
_PRESENTED = re.compile(
    r"\A\W*(?:(?:sure|certainly)[,!.]\s*)?(?:here(?:['’]s| is)\s+)?(?:(?:an?|the|my)\s+)?"
    rf"{_KIND}\s+(?:answer|response|version|revision){_ABOUT}?{_IS}?{_COLON}"
    rf"|\A\W*(?:the|my)\s+(?:(?:correct|right|best|final)\s+)?(?:answer|response){_ABOUT}?{_IS}{_COLON}"
    rf"|\A\W*here(?:['’]s| is)\s+another\s+(?:possible\s+)?(?:answer|response|version){_COLON}"
    rf"|\A\W*(?:以下是|这是)?(?:修改|修订|改进|改写|更正|更\w{{1,3}})后?的?(?:回答|答案|版本)(?:是|如下)?{_COLON}",
    re.IGNORECASE,
)

_EXCUSED = re.compile(
    r"\A\W*(?:I(?:['’]m|\s+am)\s+(?:very\s+|so\s+)?sorry|I\s+apologi[sz]e|(?:my\s+)?apologies|sorry)\s+for\s+(?:any|the|my|this|that)\s+"
    r"(?:confusion|misunderstanding|mistakes?|errors?|oversight|inaccurac\w+)(?:\s+(?:caused|earlier|before|in\s+my\s+[\w ]{1,30}))?[.!]\s+"
    r"(?:I(?:['’]ll|\s+will)\s+(?:make\s+sure|try|be\s+sure|provide|give|do|ensure)\b[^.!?\n]*[.!]\s+)*(?=\S)",
    re.IGNORECASE,
)

_BEGINS = (
    rf"(?:the|this|my|your)\s+(?:(?:original|given|provided|above|previous|{_KIND})\s+)?(?:answer|response|revision)\s+"
    r"(?:treats|demonstrates|advises|allows|provides|says|states|gives|shows|explains|uses|does|has|needs|should|could|must|addresses|focuses|includes|lacks"
    r"|avoids|mentions|follows|emphasi[sz]es|highlights|suggests|acknowledges|offers|contains|describes|makes|takes|fails|tries|is\s+not\s+only)\b",
    r"this\s+(?:answer|response|revision)\s+(?:is|was|has|can|will|would|may)\b",
    r"(?:the|this|my|an?)\s+(?:answer|response)\s+(?:for|to)\s+(?:this|the|your)\s+(?:question|prompt|task|problem)\s+(?:requires|needs|should|could|must)\b",
    r"this\s+(?:(?:type|kind)\s+of\s+)?(?:question|reasoning|prompt)\s+(?:asks|is\s+asking|requires|involves|often|needs)\b",
    r"(?:this|the)\s+(?:task|example|prompt|instruction)\s+(?:is\s+not\s+only|provides|offers)\b",
    rf"(?:an?|the)\s+{_KIND}\s+(?:answer|response|revision|version(?!\s+of\b)){_ABOUT}?\s+(?:would|could|might|should|can|may|is|will)\b",
    r"(?:这个|该|此|上述|原)(?:回答|答案|回复)(?:应该?|可以|没有|过于|比较|提供|缺|忽略|解释|说明|强调|需要|未)",
)

_SENTENCES = (r"(?:the|this)\s+answer\s+(?:demonstrates|provides|addresses|lacks|emphasi[sz]es|highlights|acknowledges|is\s+not\s+only)\b",)

_ANYWHERE = (
    rf"\bhere(?:['’]s|\s+is)\s+{_VERSION}\s?[:：](?![*_\s]*`)",
    r"\b(?:an?|the)\s+(?:more\s+\w+|better|improved|revised|rewritten|corrected|clearer)\s+(?:answer|response|version|revision)"
    rf"{_ABOUT}?\s+(?:would|could)\s+(?:be|have\s+been)\b",
    r"\b(?:this|your|my|(?:the\s+)?(?:original|previous|above)|(?:not|no)\s+an?)\s+critique\b|\bthe\s+critique\s+(?:is|has|says|mentions|suggests|points)\b",
    r"(?:\A|\n)[^\w\n]*(?:critique|revised\s+answer)\s?[:：]",
    r"\bthe\s+original\s+(?:question|prompt|answer)\b",
    r"\bthe\s+(?:answer|response)\s+(?:for|to)\s+(?:this|the|your)\s+(?:question|prompt|task|problem)\s+(?:would|could|should)\s+be\b",
    r"\bI(?:['’]ll|\s+will)\s+(?:make\s+sure|try|be\s+sure)\s+to\s+\w+\s+my\s+(?:answer|response)\b",
)

_LAST_LINES = (
    r"(?:this|the)\s+(?:(?:above|revised|rewritten|new|updated|improved)\s+)?(?:version|message|response|revision|rewrite)\s+"
    r"(?:is|conveys|keeps|maintains|uses|avoids|emphasi[sz]es|captures|removes|remains|ensures)\b[^\n]*",
)

_TOLD = re.compile(
    rf"\A\W*(?:{'|'.join(_BEGINS)})|(?:[.!?] |\n[^\w\n]*)(?:{'|'.join(_SENTENCES)})|{'|'.join(_ANYWHERE)}|\n[^\w\n]*(?:{'|'.join(_LAST_LINES)})\Z",
    re.IGNORECASE,
)


def without_presentation(text: str) -> str:
    """The revision itself."""
    return _PRESENTED.sub("", _EXCUSED.sub("", text))


def speaks_of_an_answer(text: str) -> bool:
    """Whether a text tells of an answer: as it begins, as it ends or in between."""
    return _TOLD.search(text) is not None
