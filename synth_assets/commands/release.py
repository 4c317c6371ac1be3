"""`synth-assets release`: make one again without the teacher, list, compare and verify those there are, and push one to the Hub."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from synth_assets.release.diff import Difference

__all__ = ["release"]

ORDERS, FORMS = ("mixed", "curriculum"), ("alpaca", "sharegpt")
"""As `release.options` and `release.forms` have them, without loading those."""

_SHOWN = 20
"""Ids that a comparison names of each sort."""


@click.group()
def release() -> None:
    """Make, list, compare, verify and push releases."""


@release.command()
@click.option("--order", type=click.Choice(ORDERS), default="mixed", show_default=True, help="curriculum: rows from easy to hard.")
@click.option("--form", "forms", type=click.Choice(FORMS), multiple=True, help="Write this form too; give it again for more.")
@click.option("--remix", is_flag=True, help="Mix every domain anew first, after a change of its `mix`.")
def make(order: str, forms: tuple[str, ...], remix: bool) -> None:
    """Make a release from what is in the warehouse: no teacher is asked.

    Exit status: 0 when every blocking check passed, 1 when one did not.
    """
    from synth_assets.runs import make_release

    sys.exit(make_release(order, forms, remix=remix))


@release.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(as_json: bool) -> None:
    """List the releases there are, the oldest first."""
    import json

    from synth_assets.release import export

    releases = _home()
    latest = export.latest(releases)
    found = []
    for folder in sorted(_folders(releases), key=lambda folder: (folder.stat().st_mtime, folder.name)):
        manifest = json.loads((folder / "release.json").read_text(encoding="utf-8"))
        found.append(
            {
                "version": folder.name,
                "latest": folder.name == latest,
                "rows": manifest["rows"],
                "domains": sorted(manifest["domains"]),
                "order": manifest.get("order", "mixed"),
                "bytes": sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
            }
        )
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False, indent=2))
        return
    for row in found:
        rows = ", ".join(f"{place} {count}" for place, count in row["rows"].items())
        click.echo(f"{row['version']}{' (latest)' if row['latest'] else ''}: {rows}; {', '.join(row['domains'])}; {row['order']}; {row['bytes']:,} bytes")
    if not found:
        click.echo(f"There is no release in {releases}.")


@release.command()
@click.argument("a")
@click.argument("b")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with every id.")
def diff(a: str, b: str, as_json: bool) -> None:
    """Compare release A with release B, which came after it: versions, the beginnings of them, `latest`, or folders."""
    import json

    from synth_assets.release.diff import compare

    found = compare(_chosen(a), _chosen(b))
    if as_json:
        click.echo(json.dumps(found.data(), ensure_ascii=False, indent=2))
    else:
        _print(found)


@release.command()
@click.argument("versions", nargs=-1)
def verify(versions: tuple[str, ...]) -> None:
    """Compare releases with their checksums: all of them, or VERSIONS. Exit status 1 when a file is not as it was written."""
    from synth_assets.release import export

    torn = False
    for folder in [_chosen(version) for version in versions] or _folders(_home()):
        faults = export.verify(folder)
        torn |= bool(faults)
        click.echo(f"{folder.name}: {'; '.join(faults) or 'as it was written'}")
    sys.exit(1 if torn else 0)


@release.command()
@click.argument("version", default="latest")
@click.option("--repo", required=True, metavar="OWNER/NAME", help="The dataset repository on the Hub; made if it is missing.")
@click.option("--private", is_flag=True, help="Make a new repository private.")
@click.option("--dry-run", is_flag=True, help="Print what would be uploaded, and send nothing.")
def push(version: str, repo: str, private: bool, dry_run: bool) -> None:
    """Push a release to the Hugging Face Hub, as one commit with its version as the tag.

    The token is that of HF_TOKEN or of `hf auth login`.
    """
    from synth_assets.release import hub

    upload = hub.plan(_chosen(version), repo, private=private)
    for path, size in upload.files:
        click.echo(f"  {path}  {size:,} bytes")
    what = f"{len(upload.files)} files, {upload.size:,} bytes, of {upload.folder.name} to the dataset {repo}{' (private, if it is new)' if private else ''}"
    if dry_run:
        click.echo(f"Dry run: would upload {what}, as one commit, tagged {upload.folder.name}. Nothing was sent.")
    else:
        click.echo(f"Uploading {what}.")
        click.echo(f"Pushed: {hub.push(upload)}")


def _home() -> Path:
    from synth_assets.home import Home

    return Home.from_env().releases


def _folders(releases: Path) -> list[Path]:
    return sorted(path.parent for path in releases.glob("r-*/release.json"))


def _chosen(name: str) -> Path:
    """The folder of a release by its version, the beginning of one, `latest`, or its path."""
    from synth_assets.errors import SynthError
    from synth_assets.release import export

    releases = _home()
    if (Path(name) / "release.json").is_file():
        return Path(name).resolve()
    wanted = export.latest(releases) or name if name == "latest" else name
    found = [folder for folder in _folders(releases) if folder.name.startswith((wanted, f"r-{wanted}"))]
    if len(found) != 1:
        there = ", ".join(folder.name for folder in _folders(releases)) or "none"
        raise SynthError(f"{name!r} is {'no release' if not found else 'the beginning of several releases'} in {releases}; there are: {there}.")
    return found[0]


def _print(found: "Difference") -> None:
    click.echo(
        f"{found.a} > {found.b}: {len(found.added)} added, {len(found.removed)} removed, {len(found.changed)} changed, "
        f"{len(found.moved)} moved to another split, {found.same} the same"
    )
    for place, counts in found.counts.items():
        click.echo(f"  {place}: {', '.join(f'{n} {word}' for word, n in counts.items())}")
    sorts: list[tuple[str, list[str]]] = [("added", found.added), ("removed", found.removed), ("changed", found.changed)]
    sorts.append(("moved", [f"{i} {how}" for i, how in found.moved.items()]))
    for word, ids in sorts:
        if ids:
            more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
            click.echo(f"{word}: {', '.join(ids[:_SHOWN])}{more}")
    for name, (before, after) in found.settings.items():
        click.echo(f"{name}: {_short(before)} > {_short(after)}")


def _short(value: Any) -> str:
    import json

    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 200 else text[:199] + "…"
