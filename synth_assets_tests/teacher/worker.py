"""A process that drives a plan of questions: `python -m synth_assets_tests.teacher.worker HOME URL COUNT NAME`; its environment is its configuration."""

import os
import sys
from pathlib import Path

from synth_assets.errors import TeacherStopped
from synth_assets.teacher.choice import open_teacher
from synth_assets.teacher.messages import Message, Request
from synth_assets_tests.teacher.driving import ask


def main() -> None:
    home, url, count, name = sys.argv[1:]

    with open_teacher(Path(home), {**os.environ, "ANTHROPIC_BASE_URL": url, "SYNTH_TEACHER": "model-a"}) as teacher:
        batch = [Request((Message("user", f"{name} {number}"),), 100) for number in range(int(count))]
        try:
            replies = ask(teacher, *batch)
        except TeacherStopped as stopped:
            print(type(stopped).__name__, stopped)
            return
        print("made", teacher.calls_made, "of", len(replies))


if __name__ == "__main__":
    main()
