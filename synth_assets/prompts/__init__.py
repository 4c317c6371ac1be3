"""Prompt templates as package data: one YAML file each, with a system message, example turns and the user's turn.

Examples are earlier turns and not part of one long text: a small model follows them better, and a server's prompt cache keeps
them. Rendering is sandboxed and texts only ever arrive as values, so that nothing a teacher wrote is run as a template. A
template's version is a digest of its file: whoever changes a template changes the code version of just the assets that use it.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import jinja2
import yaml
from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from synth_assets.teacher.messages import Message

__all__ = ["Template", "Turn", "attribute_labels", "load", "principles", "system_messages", "version"]

_ENVIRONMENT = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=False)


@cache
def _compiled(text: str) -> jinja2.Template:
    """A template of ours, compiled once: compiling takes 0.4 ms, rendering 0.01 ms. No text of a teacher comes here."""
    return _ENVIRONMENT.from_string(text)


@dataclass(frozen=True)
class Turn:
    """One example: what the user asks and how the teacher should answer."""

    user: str
    assistant: str


@dataclass(frozen=True)
class Template:
    """One prompt template in one language."""

    name: str
    version: str
    """As `version` has it."""
    system: str
    examples: tuple[Turn, ...]
    user: str

    def render(self, examples: Sequence[Turn] | None = None, **values: object) -> tuple[str, tuple[Message, ...]]:
        """System message and conversation for `values`; `examples` replaces the template's own."""
        turns: list[Message] = []
        for turn in self.examples if examples is None else examples:
            turns += [Message("user", turn.user), Message("assistant", turn.assistant)]
        return self._fill(self.system, values), (*turns, Message("user", self._fill(self.user, values)))

    def ask(self, **values: object) -> str:
        """The user's turn alone: for building example turns of the same form."""
        return self._fill(self.user, values)

    @staticmethod
    def _fill(text: str, values: dict[str, object]) -> str:
        return _compiled(text).render(**values).strip()


def _text(name: str, language: str) -> str:
    return (files(__name__) / language / f"{name}.yaml").read_text(encoding="utf-8")


@cache
def version(name: str, language: str = "en") -> str:
    """Version of the file `name`: its name, `@` and the first digits of its SHA-256."""
    return f"{name}@{hashlib.sha256(_text(name, language).encode()).hexdigest()[:8]}"


@cache
def load(name: str, language: str = "en") -> Template:
    """The template `name` in `language`."""
    data = yaml.safe_load(_text(name, language))
    examples = tuple(Turn(e["user"].strip(), e["assistant"].strip()) for e in data.get("examples", []))
    return Template(name, version(name, language), data.get("system", "").strip(), examples, data["user"])


@cache
def principles(language: str = "en") -> tuple[str, ...]:
    """The shipped principles for critique and revision; a domain may replace them."""
    return tuple(yaml.safe_load(_text("principles", language))["principles"])


@cache
def system_messages(language: str = "en", *, about_length: bool = True) -> tuple[str, ...]:
    """The shipped pool of system messages for Orca-style distillation; the first is empty. Without `about_length`, none says how long an answer should be."""
    pool = yaml.safe_load(_text("system_messages", language))["system_messages"]
    # A message about length is a mapping with that one key.
    return tuple(entry if isinstance(entry, str) else entry["about_length"] for entry in pool if about_length or isinstance(entry, str))


@cache
def attribute_labels(language: str = "en") -> dict[str, Any]:
    """How attributes are said: `form`, a pattern of label and value, and `labels` by attribute."""
    found: dict[str, Any] = yaml.safe_load(_text("attributes", language))
    return found
