"""What goes with a release about how it was made."""

import hashlib
import json
from importlib.metadata import version
from pathlib import Path

from synth_assets.domain_files import load_domain
from synth_assets.release import recipe
from synth_assets_tests.graph.world import write_domain


def test_domain_files_templates_digests_and_versions(tmp_path: Path) -> None:
    folder = write_domain(tmp_path)
    loaded = {"boats": load_domain(folder, "boats")}
    texts = recipe.recipe_files(loaded)
    assert texts["recipe/domains/boats.yaml"] == (folder / "boats.yaml").read_text()
    assert "recipe/prompts/en/critique.yaml" in texts and not any("/zh/" in path for path in texts)
    named = {entry["path"]: entry for entry in json.loads(texts["recipe/files.json"])}
    assert named["boats/heldout.jsonl"]["sha256"] == hashlib.sha256((folder / "boats/heldout.jsonl").read_bytes()).hexdigest()
    lines = texts["recipe/constraints.txt"].splitlines()
    assert f"duckdb=={version('duckdb')}" in lines and f"synth-assets=={version('synth-assets')}" in lines
    assert f"torch=={version('torch')}" in lines and not any(line.startswith("pytest==") for line in lines)
    # The items of a benchmark must not stand beside training data.
    assert "lighthouse" not in "".join(texts.values())


def test_the_digest_follows_content_and_not_layout(tmp_path: Path) -> None:
    folder = write_domain(tmp_path)
    before = recipe.digest_of({"boats": load_domain(folder, "boats")})
    path = folder / "boats.yaml"
    path.write_text("# a comment\n" + path.read_text())
    assert recipe.digest_of({"boats": load_domain(folder, "boats")}) == before
    write_domain(tmp_path, title="Other boats")
    assert recipe.digest_of({"boats": load_domain(folder, "boats")}) != before
