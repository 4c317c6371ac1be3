"""The dataset card: what it must say, and that nothing in a text gets out of its place."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from synth_assets.accounts import Row
from synth_assets.config import Domain
from synth_assets.release import card, export, facts
from synth_assets.release.options import Options
from synth_assets.release.selection import select
from synth_assets_tests.release.mixed_rows import mixed_row, mixed_rows

HOSTILE = "Sums | <script>alert(1)</script>\n---\n# Owned [x](http://x.example) `a` **b**: {{ 7 * 7 }} \u2028- c"


def domain(name: str, **values: Any) -> Domain:
    return Domain.model_validate(
        {
            "name": name,
            "title": f"The domain {name}",
            "language": "en",
            "topics": ({"name": "sums", "description": "Sums of numbers."},),
            "seeds": {"path": "seeds.jsonl", "source": "us", "license": "MIT"},
            "targets": {"sft": 5},
            "real_data": ({"path": "real.jsonl", "source": "us", "license": "MIT"},),
            **values,
        }
    )


def some_facts(mixed: dict[str, list[Row]], **values: Any) -> facts.Facts:
    """Facts of a release of `mixed`, with one of everything that a card may have to say."""
    outcomes = select(mixed)
    first = min(mixed)
    source = facts.Snapshot(
        mixed=mixed,
        refused={},
        accounts=[{"domain": first, "stage": "filtered", "planned": 9, "candidates": 9, "kept": 6, "rejected": 2, "surplus": 1}],
        history=[{"domain": first, "stage": "mixed", "data_version": "abc", "passed": True, "metrics": {"kept": 6, "distinct_1": 0.25}}],
        makers={row["source_id"]: ("SmolLM2-135M-Instruct", "rm-1") for rows in mixed.values() for row in rows if row["origin"] == "synthetic"},
        benchmarks=[{"benchmark": "a/held", "items": 40}],
        hits=[{"domain": first, "stage": "filtered", "benchmark": "a/held", "matched": 2, "removed": 2}],
        reviews=[
            {"domain": first, "purpose": "gate", "verdict": "accept", "row_count": 3},
            {"domain": first, "purpose": "gate", "verdict": None, "row_count": 7},
        ],
        roots={row["root_id"]: ("magpie" if name == "b" else "seed", "Count.") for name, rows in mixed.items() for row in rows},
        rules=[{"domain": first, "stage": "filtered", "rule": "reward_floor", "row_count": 2}],
        costs=[{"model": "m", "calls": 10, "input_tokens": 1000, "output_tokens": 200, "cost_usd": 0.5, "unpriced": 4}],
    )
    rows = [row for outcome in outcomes.values() for row in outcome.kept]
    made = facts.Facts(export.version_of(rows), {name: domain(name) for name in mixed}, outcomes, {"c": "its file is broken"}, source)
    return replace(made, **values)


def mixed_sample() -> dict[str, list[Row]]:
    curated = [mixed_row("a", f"real {n}", origin="real", method="human", source="curated", license="curated") for n in range(3)]
    bought = [mixed_row("b", f"real {n}", origin="real", method="human", source="a shop", license="CC-BY-4.0") for n in range(2)]
    return {"a": mixed_rows("a", 22) + curated, "b": mixed_rows("b", 4, "preference") + bought}


def cells(page: str, heading: str) -> list[list[str]]:
    """Rows of all tables under a heading, without the rules below their heads."""
    lines = page.split(f"\n{heading}\n", 1)[1].split("\n#", 1)[0].splitlines()
    return [line.strip("| ").split(" | ") for line in lines if line.startswith("| ")]


def test_says_what_happened() -> None:
    made = some_facts(mixed_sample())
    page = card.render(made)
    assert cells(page, "## Recipe")[1:] == [
        ["a", "sft", "distill", "22"],
        ["a", "sft", "human", "3"],
        ["b", "preference", "distill", "4"],
        ["b", "sft", "human", "2"],
        ["domain", "stage", "planned", "kept", "rejected", "surplus"],
        ["a", "filtered", "9", "6", "2", "1"],
        ["a", "release", "25", "25", "0", "0"],
        ["b", "release", "6", "6", "0", "0"],
    ]
    assert cells(page, "## Teachers")[1:] == [["SmolLM2-135M-Instruct", "26", "Apache-2.0"]]
    assert "no evidence of data quality" in page
    assert cells(page, "## Sources and licences")[1:] == [
        ["a shop", "CC-BY-4.0", "real", "2"],
        ["curated", "curated", "real", "3"],
        ["synthetic: tiny", "see the teacher's terms", "synthetic", "26"],
        ["source of the seeds", "licence", "synthetic rows"],
        ["us", "MIT", "22"],
    ]
    assert cells(page, "## Gates")[3:] == [["a", "filtered", r"reward\_floor", "2"]]
    assert "3 rows are labelled `curated`" in page
    assert "not independent human data and not third-party data" in page
    assert [row[:5] for row in cells(page, "## The mix")[1:5]] == [
        ["preference", "b", "synthetic", "4", "100.0%"],
        ["sft", "a", "real", "3", "11.1%"],
        ["sft", "a", "synthetic", "22", "81.5%"],
        ["sft", "b", "real", "2", "7.4%"],
    ]
    tokens = f"{facts.achieved(made.outcomes['a'].kept, 'sft')['tokens']:.4g}"
    assert cells(page, "## The mix")[6:] == [
        ["a", "sft", "0.8", "0.88", tokens],
        ["b", "sft", "0.8", "0", "0"],
        ["b", "preference", "0.8", "1", "1"],
    ]
    assert cells(page, "## Gates")[1] == ["a", "mixed", "yes"]
    assert cells(page, "### Figures")[1:] == [["a", "mixed", r"distinct\_1", "0.25"]]
    assert cells(page, "### Decontamination") == [
        ["benchmark", "items"],
        ["a/held", "40"],
        ["domain", "stage", "benchmark", "matched", "removed"],
        ["a", "filtered", "a/held", "2", "2"],
    ]
    assert cells(page, "### Human review")[1:] == [["a", "gate", "10", "3", "accept: 3"]]
    assert "The cost is unknown for 4 of 10 calls; the others cost 0.5000 US dollars." in page
    assert "- **c**: its file is broken" in page


def test_an_override_and_caps_are_repeated() -> None:
    mix = {"synthetic_share": 0.5, "override": "half of it is | ours", "caps": ({"method": "distill", "share": 0.25},), "weight": 2}
    made = some_facts(mixed_sample())
    page = card.render(replace(made, domains={**made.domains, "a": domain("a", mix=mix)}, options=Options.of("curriculum", ["alpaca"])), with_report=True)
    assert "**That is outside 0.7 to 0.9, by an override:** half of it is \\| ours." in page
    assert "At most 0.25 of a kind from method distill. Weight in the release: 2." in page
    assert "from easy to hard" in page and "The folder `alpaca/`" in page and "`quality_report.html`" in page
    assert "by an override" not in card.render(made) and "`quality_report.html`" not in card.render(made)


def test_says_what_is_not_known() -> None:
    bare = some_facts({"a": mixed_rows("a", 3)})
    empty = replace(bare.source, accounts=[], history=[], makers={}, benchmarks=[], hits=[], reviews=[], costs=[])
    page = card.render(replace(bare, left_out={}, source=empty))
    assert cells(page, "## Teachers")[1:] == [["unknown", "3", "terms of the model unknown: see its publisher"]]
    for sentence in (
        "No domain was left out.",
        "nothing was decontaminated",
        "No row was sampled for people to read.",
        "their cost is unknown",
        "None was rejected.",
    ):
        assert sentence in page
    assert "labelled `curated`" not in page
    assert "no evidence of data quality" not in page


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a | b", r"a \| b"),
        ("one\ntwo\r\n\u2028three", "one two three"),
        ("<img src=x>", r"\<img src=x\>"),
        ("[x](y) `c` *d* _e_ #f ~g~ $h$ !i &amp; \\", r"\[x\](y) \`c\` \*d\* \_e\_ \#f \~g\~ \$h\$ \!i \&amp; " + "\\\\"),
        ("- item", r"\- item"),
        ("nul\x00 \ud800", r"nul\\u0000 \\ud800"),
        (None, "unknown"),
        (True, "yes"),
        (1234567, "1,234,567"),
        (0.123456, "0.1235"),
        ("x" * 1000, "x" * 399 + "…"),
    ],
)
def test_escaped(value: object, shown: str) -> None:
    assert card.escaped(value) == shown


def test_hostile_texts_stay_in_their_place() -> None:
    plain = some_facts(mixed_sample())
    rows = mixed_sample()
    for row in rows["a"]:
        row |= {"source": HOSTILE, "license": HOSTILE}
    hostile = some_facts(rows, left_out={"c": HOSTILE})
    source = replace(
        hostile.source,
        makers=dict.fromkeys(hostile.source.makers, (HOSTILE, HOSTILE)),
        costs=[{**hostile.source.costs[0], "model": HOSTILE}],
        benchmarks=[{"benchmark": HOSTILE, "items": 1}],
    )
    page = card.render(replace(hostile, source=source, domains={n: domain(n, title=HOSTILE[:100], description=HOSTILE) for n in rows}))
    assert [line for line in page.splitlines() if line.startswith("#")][1:] == [line for line in card.render(plain).splitlines() if line.startswith("#")][1:]
    front, body = page.removeprefix("---\n").split("\n---\n", 1)
    assert "<script>" not in body
    assert not re.search(r"(?<!\\)\]\(", body)
    assert "49" not in cells(page, "## Teachers")[1][0]
    for line in body.splitlines():
        if line.startswith("|"):
            assert line.endswith("|")
    data = yaml.safe_load(front)
    assert data["pretty_name"].startswith("Synthetic training data: Sums | <script>")
    assert data["license"] == "other"


def test_front_matter() -> None:
    data = yaml.safe_load(card.front_matter(some_facts(mixed_sample())))
    assert [config["config_name"] for config in data["configs"]] == ["sft", "preference"]
    assert data["configs"][0] == {
        "config_name": "sft",
        "default": True,
        "data_files": [{"split": s, "path": f"sft/{s}-*.parquet"} for s in ("train", "validation", "test")],
    }
    assert data["configs"][1]["data_files"] == [{"split": "train", "path": "preference/train-*.parquet"}]
    assert data["size_categories"] == ["n<1K"]
    open_license = some_facts({"a": mixed_rows("a", 2, license="Apache-2.0")})
    assert yaml.safe_load(card.front_matter(open_license))["license"] == ["apache-2.0", "mit"]


def test_manifest() -> None:
    made = some_facts(mixed_sample())
    data = json.loads(facts.manifest(made))
    assert data["version"] == made.version
    assert data["inputs"] == {"a": {"mixed": "abc"}}
    assert data["teachers"] == {"SmolLM2-135M-Instruct": 26}
    assert data["reward_versions"] == {"rm-1": 26}
    assert data["domains"]["b"] == {"planned": 6, "kept": 6, "rejected": 0, "surplus": 0, "rows": {"preference/train": 4, "sft/train": 2}}
    assert data["left_out"] == {"c": "its file is broken"}
    assert data["packages"]["duckdb"]
    assert facts.manifest(made) == facts.manifest(made)


LOADER = """
import sys
from datasets import load_dataset
folder, cache = sys.argv[1:]
for kind in ("sft", "preference"):
    for split, rows in load_dataset(folder, kind, cache_dir=cache).items():
        print(kind, split, rows.num_rows, ",".join(rows.column_names[:3]))
        said = rows[0]["messages" if kind == "sft" else "chosen"]
        assert said[-1]["role"] == "assistant" and said[-1]["content"], said
"""


@pytest.mark.slow
def test_loads_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a process of its own, because the library reads HF_HUB_OFFLINE once."""
    made = some_facts({"a": mixed_rows("a", 24), "b": mixed_rows("b", 24, "preference")})
    folder = export.write(tmp_path / "release", made.version, made.rows, {"README.md": card.render(made), "release.json": facts.manifest(made)})
    for name, value in (("HF_HUB_OFFLINE", "1"), ("HF_HOME", str(tmp_path / "hf")), ("HF_DATASETS_CACHE", str(tmp_path / "hf"))):
        monkeypatch.setenv(name, value)
    ended = subprocess.run([sys.executable, "-c", LOADER, str(folder), str(tmp_path / "hf")], check=False, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    kinds = (("sft", "messages,id,domain"), ("preference", "prompt,chosen,rejected"))
    assert ended.stdout.split("\n")[:-1] == [f"{k} {s} {n} {c}" for k, c in kinds for s, n in (("train", 22), ("validation", 1), ("test", 1))]
