from pathlib import Path

import pytest

from synth_assets.defs import stage
from synth_assets.defs.stage import code_version
from synth_assets.quality import near_duplicates

QUALITY = Path(near_duplicates.__file__).parent


def test_every_module_behind_the_near_duplicate_gate_is_in_its_version() -> None:
    """What `near_duplicates` reaches within its package by imports at any level, less what compiles and counts words."""
    reached: set[str] = set()
    todo = ["near_duplicates"]
    while todo:
        text = (QUALITY / f"{todo.pop()}.py").read_text(encoding="utf-8")
        named = {path.stem for path in QUALITY.glob("*.py") if f"synth_assets.quality.{path.stem} import" in text or f"import {path.stem}," in text}
        named |= {path.stem for path in QUALITY.glob("*.py") if f"synth_assets.quality import {path.stem}" in text or f", {path.stem}\n" in text}
        todo.extend(named - reached)
        reached |= named
    assert reached - {"compilation", "words"} == set(near_duplicates.SOURCES)


def test_a_change_in_a_named_source_changes_the_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = code_version(near_duplicates)
    for path in QUALITY.glob("*.py"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(stage, "files", lambda _: tmp_path)
    assert code_version(near_duplicates) == before
    (tmp_path / "rouge_kernels.py").write_text("# changed", encoding="utf-8")
    assert code_version(near_duplicates) != before
