"""Every writer on a full disk, then on one with room: `python -m synth_assets_tests.graph.disk_worker FOLDER`, in a small file system of its own.

Each line on stdout is a writer's name and what it said. What stood before must stand afterwards.
"""

import os
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from synth_assets.errors import SynthError
from synth_assets.health.examination import examine
from synth_assets.home import Home
from synth_assets.quality.embeddings import Embedder
from synth_assets.release import export, quality_report
from synth_assets.review.standing import Entry
from synth_assets.review.verdicts import Verdicts
from synth_assets.teacher.answers import Answer
from synth_assets.teacher.budget import Budget
from synth_assets.teacher.ledger import Call, Ledger, Reservation
from synth_assets.warehouse import Warehouse
from synth_assets_tests.release.mixed_rows import mixed_row
from synth_assets_tests.warehouse.rows import outcome_of, stage_rows

LONG = os.urandom(150_000).hex()


def main(root: Path) -> None:
    home = Home(root)
    warehouse, ledger = Warehouse(home.warehouse), Ledger(root / "ledger.sqlite")
    store = Verdicts(home.reviews)

    def into_warehouse(size: int) -> None:
        rows = stage_rows("seeds", "math", size)
        for row in rows:
            row["response"] = os.urandom(4000).hex()
        warehouse.commit_stage("seeds", "math", outcome_of(rows), run_id=f"r{size}")

    def into_ledger(text: str) -> None:
        reserved = ledger.reserve(Call(text[:8], "e", "m", "{}"), 0.0, Budget()).result()
        assert isinstance(reserved, Reservation)
        ledger.record(reserved, Answer(text, text=text), 0.0, 1.0).result()

    def into_verdicts(note: str) -> None:
        store.record(Entry(note[:8], "row", "math", "ann", "accept", "", note=note), note[:8])

    def into_embeddings(number: int) -> None:
        vectors = {os.urandom(32): bytes(4 * 384) for _ in range(number)}
        Embedder(home.embeddings)._write(vectors)

    def into_release(text: str) -> None:
        export.write(home.releases, f"r-{text[:12]}", [mixed_row("math", 1, prompt=text, split="train")], {"README.md": text})

    def into_report(text: str) -> None:
        quality_report.write(home.reports / "quality_report.html", text)

    writers: dict[str, tuple[Callable[[Any], None], Any, Any]] = {
        "warehouse": (into_warehouse, 2, 3000),
        "ledger": (into_ledger, "before", LONG),
        "verdicts": (into_verdicts, "before", LONG),
        "embeddings": (into_embeddings, 2, 3000),
        "release": (into_release, "before", LONG),
        "report": (into_report, "before", LONG),
    }
    for write, before, _ in writers.values():
        write(before)
    filler = root / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass
    for name, (write, _, much) in writers.items():
        try:
            write(much)
            print(f"{name}: written", flush=True)
        except SynthError as error:
            print(f"{name}: {error}", flush=True)
    for finding in examine(home):
        if finding.level == "fault":
            print(f"doctor {finding.subject}: {finding.what}", flush=True)
    assert warehouse.rows("seeds") and len(warehouse.rows("seeds")) == 2
    assert [entry.note for entry in store.entries()] == ["before"]
    assert export.verify(home.releases / "r-before") == [] and export.latest(home.releases) == "r-before"
    assert (home.reports / "quality_report.html").read_text() == "before"
    filler.unlink()
    for write, _, much in writers.values():
        write(much)
    assert len(warehouse.rows("seeds")) == 3000
    left = [path.name for path in root.rglob("*") if path.name.endswith((".new", ".part")) or path.name.startswith((".unfinished", ".quality"))]
    assert not left, left
    with closing(ledger):
        print("all written", flush=True)
    store.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
