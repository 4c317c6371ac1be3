"""Small files to screen, and one way to screen them."""

import gzip
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from synth_assets.screening.command import Request, run_screen

QUESTIONS = (
    "How do I look after a compost heap in winter?",
    "When should somebody replace a rusty spade?",
    "Which mistakes do people make with clay soil?",
    "What is the purpose of a greenhouse thermometer?",
    "Can two children together repair a dripping hose?",
    "Describe in one sentence how to graft an apple tree.",
)
ANSWERS = (
    "Turn it every few weeks, keep the rain off, and feed it with kitchen scraps and dry leaves in turn.",
    "When its edge bends on hard ground, or the handle moves in the socket although you have tightened it.",
    "They dig it while it is wet, which presses the air out, and then wonder why nothing drains.",
    "It tells you when to open the vents, because seedlings die of heat long before they die of cold.",
    "Yes: one holds the hose straight while the other cuts out the damaged piece and pushes in a connector.",
    "Cut the shoot and the stock at the same slant, bind them tightly, and seal the wound with wax.",
)


def good(number: int, **more: Any) -> dict[str, Any]:
    """A row that every gate lets pass, the number-th of six."""
    return {"instruction": QUESTIONS[number], "input": "", "output": ANSWERS[number]} | more


def write_rows(path: Path, rows: Iterable[dict[str, Any] | str]) -> Path:
    """Rows, or lines as they are, as a JSON Lines file; compressed where its name says so."""
    text = "".join(f"{row if isinstance(row, str) else json.dumps(row, ensure_ascii=False)}\n" for row in rows)
    data = text.encode("utf-8", "surrogatepass")
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


class Output(NamedTuple):
    """What a run left."""

    status: int
    said: str
    folder: Path

    @property
    def report(self) -> dict[str, Any]:
        report: dict[str, Any] = json.loads((self.folder / "report.json").read_text(encoding="utf-8"))
        return report

    def rows(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / f"{name}.jsonl").read_bytes().splitlines()]

    @property
    def rules(self) -> dict[int, list[str]]:
        """Rules by line of the rejected rows."""
        return {row["line"]: row["rules"] for row in self.rows("rejected")}


Screen = Callable[..., Output]


def screened(file: Path, out: Path, **options: Any) -> Output:
    """Screen `file` in this process, without the sentence model unless it is asked for."""
    said: list[str] = []
    status = run_screen(Request(file, out, **({"embeddings": False, "workers": 1} | options)), said.append)
    return Output(status, "\n".join(said), out)
