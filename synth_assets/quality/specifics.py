"""What an answer says that a vague one does not: a number, a name within a sentence, an abbreviation, a title or quotation, a piece of code.

One pattern, which the reward model counts by and its training's vague answers are made with.
"""

import re

__all__ = ["SPECIFIC"]

SPECIFIC = re.compile(r"\d+(?:[.,:]\d+)*%?|(?<=[a-z,;:()] )[A-Z][\w'-]+|\b[A-Z]{2,}\b|[“\"《「][^“”\"》」\n]{2,60}[”\"》」]|`[^`\n]+`")
"""One such thing. A capital that begins a sentence is no name."""
