"""A home with a sample to review: hostile, Chinese, mathematical and paired rows, and the page's server as a process of its own."""

import json
import re
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synth_assets.accounts import Outcome, Row
from synth_assets.config import Domain
from synth_assets.domain_files import load_domain
from synth_assets.quality.sampling import spot_check
from synth_assets.warehouse import Warehouse
from synth_assets_tests.graph.world import command, environment, write_domain

HOSTILE = "<script>window.hacked=1</script><img src=x onerror=window.hacked=2>\"'><b>bold</b>\u202edesrever [x](javascript:window.hacked=3) {{7*7}} </textarea>"

REASONED = (
    "<think>\nThe roots of $x^2-5x+6$ multiply to 6.\n</think>\n\nBy the formula\n\n$$\nx = \\frac{5 \\pm \\sqrt{25 - 24}}{2}\n$$\n\nso $x_1 = 2$ and "
    "\\(x_2 = 3\\).\n\n| root | check |\n|--:|:--|\n| 2 | $4 - 10 + 6 = 0$ |\n| 3 | $9 - 15 + 6 = 0$ |\n"
)
CODE = (
    "Use a *set*:\n\n```python\ndef unique(names: list[str]) -> int:\n    # one pass\n    return len(set(names))\n```\n\n"
    "1. It is **linear**.\n2. It needs `hash`."
)
CHINESE = "## 答案\n\n设鸡有 $x$ 只，兔有 $y$ 只，则\n\n\\[\n\\begin{cases} x + y = 35 \\\\ 2x + 4y = 94 \\end{cases}\n\\]\n\n解得 **鸡 23 只，兔 12 只**。"
BETTER, WORSE = "Take the bowline: it holds and is easy to undo.", "Any knot will do, do not worry."


def rows(count: int = 8) -> list[Row]:
    """Rows of filtered: the first ones are special, the others plain."""
    special = [
        _row(0, prompt="Solve $x^2 - 5x + 6 = 0$.", response=REASONED, method="reasoning"),
        _row(1, prompt="Count the different names in a list.", response=CODE),
        _row(2, language="zh", prompt="鸡兔同笼：共有三十五个头，九十四只脚。鸡和兔各有几只？", response=CHINESE, topic="ropes"),
        _row(3, kind="preference", method="constitutional", prompt="Which knot for a loop?", response=BETTER, rejected=WORSE, reward_margin=0.4),
        _row(4, **dict.fromkeys(("prompt", "response", "system", "topic", "method", "model"), HOSTILE)),
    ]
    return [*special, *(_row(n, prompt=f"Question number {n}?", response=f"Answer number {n}.") for n in range(len(special), count))][:count]


def _row(number: int, **changes: Any) -> Row:
    row = {"id": f"f{number:03}", "domain": "boats", "topic": "sail", "language": "en", "kind": "sft", "source_id": f"t{number}", "root_id": f"e{number}"}
    texts = {"method": "distill", "system": "", "prompt": "", "response": "", "rejected": None, "model": "test-model", "parent_id": None}
    scores = {"reward": 0.5, "reward_version": "v", "reward_margin": None, "rouge_l": 0.1, "jaccard": 0.0, "cosine": None, "contamination": 0.0}
    return {**row, **texts, **scores, **changes}


@dataclass(frozen=True)
class Desk:
    """A home with a sample, and how to serve its page."""

    home: Path
    domains: Path

    @property
    def env(self) -> dict[str, str]:
        return environment(self.home, self.domains, "http://127.0.0.1:9")

    @property
    def warehouse(self) -> Warehouse:
        return Warehouse(self.home / "warehouse.duckdb")

    @property
    def domain(self) -> Domain:
        return load_domain(self.domains, "boats").config

    @contextmanager
    def serving(self, *arguments: str) -> Iterator["Page"]:
        """The page's server in a process, killed at the end if it still runs."""
        process = subprocess.Popen(command("review", *arguments), env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None and process.stderr is not None
            said = ""
            while (found := re.search(r"http://\S+", said)) is None:
                line = process.stdout.readline()
                assert line, said + process.stderr.read()
                said += line
            yield Page(process, found[0], said)
        finally:
            process.kill()
            process.communicate()


@dataclass
class Page:
    """A served page, asked as a browser's scripts would ask."""

    process: subprocess.Popen[str]
    address: str
    said: str
    """What the command printed before it served."""

    @property
    def origin(self) -> str:
        return self.address.partition("/?")[0]

    @property
    def token(self) -> str:
        return self.address.partition("token=")[2]

    def headers(self) -> dict[str, str]:
        port = self.origin.rpartition(":")[2]
        return {"Cookie": f"synth_review_{port}={self.token}", "Origin": self.origin, "Content-Type": "application/json"}

    def ask(self, path: str, sent: Mapping[str, Any] | bytes | None = None, **headers: str | None) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body; headers that are given replace the page's own, None leaves one out."""
        data = sent if isinstance(sent, bytes | None) else json.dumps(sent).encode()
        wanted = {name.lower(): value for name, value in self.headers().items()} | {name.replace("_", "-").lower(): v for name, v in headers.items()}
        request = urllib.request.Request(f"{self.origin}{path}", data, {name: value for name, value in wanted.items() if value is not None})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, dict(answer.headers), answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, dict(error.headers), error.read()

    def json(self, path: str, sent: Mapping[str, Any] | None = None) -> Any:
        return json.loads(self.ask(path, sent)[2])


def make_desk(folder: Path, made: list[Row] | None = None, **settings: Any) -> Desk:
    """A home under `folder` whose gate sample is all of `made`."""
    found = rows() if made is None else made
    spot = {"gate": max(1, len(found)), "audit": 2, "max_defect_rate": 0.9} | settings
    desk = Desk(folder / "home", write_domain(folder / "domains", spot_check=spot))
    draw(desk, found)
    return desk


def draw(desk: Desk, found: list[Row]) -> None:
    """Put these rows into filtered, and samples of them into spot_check."""
    database = desk.warehouse
    database.commit_stage("filtered", "boats", Outcome(planned=len(found), kept=found), run_id="r1")
    outcome = Outcome()
    spot_check(desk.domain, found, found, {}, outcome)
    database.commit_stage("spot_check", "boats", outcome, run_id="r1")
