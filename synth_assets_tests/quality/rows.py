"""Small rows of the stages, good ones; a test changes what it is about."""

from typing import Any

from synth_assets.accounts import Row
from synth_assets.config import Domain


def domain(**changes: Any) -> Domain:
    """A domain with all gates at their defaults."""
    settings: dict[str, Any] = {
        "name": "garden",
        "title": "Garden work",
        "language": "en",
        "topics": [{"name": "soil", "description": "What plants grow in."}, {"name": "tools", "description": "What work is done with."}],
        "seeds": {"path": "seeds.jsonl", "source": "us", "license": "CC0-1.0"},
        "targets": {"sft": 50},
        "real_data": [{"path": "real.jsonl", "source": "us", "license": "CC0-1.0"}],
    }
    return Domain.model_validate(settings | changes)


def response(number: int, **changes: Any) -> Row:
    """A row of teacher_responses about its own subject."""
    subject = _SUBJECTS[number % len(_SUBJECTS)]
    row: Row = {
        "id": f"r{number}",
        "domain": "garden",
        "topic": ("soil", "tools")[number % 2],
        "language": "en",
        "instruction_id": f"i{number}",
        "method": "distill",
        "system": "",
        "prompt": f"{_QUESTIONS[number % len(_QUESTIONS)]} {subject}?",
        "thinking": "",
        "response": f"Begin with the {subject} while the morning is cool, look at it closely, and write down what you changed.",
        "model": "some-model",
    }
    return row | changes


def instruction(number: int) -> Row:
    return {"id": f"i{number}", "root_id": f"root{number}"}


_SUBJECTS = ("compost heap", "rusty spade", "clay bed by the fence", "greenhouse thermometer", "dripping hose", "apple graft", "hedge shears", "frost cover")
_QUESTIONS = (
    "How do I look after a",
    "When should somebody replace the",
    "Which mistake do people make with their",
    "What is the purpose of a",
    "My neighbour swears at his",
    "Can two children together repair one",
    "Describe in a single sentence any",
    "List materials that belong near your",
)
