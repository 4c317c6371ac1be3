"""What made a release, as files that go with it: the domain files, the prompt templates, and the versions of all packages.

The data files that a domain file names are given by digest alone: benchmarks must not be published beside training data, and rows of people were
released as far as the mix took them. Invariant: equal recipes have equal digests, whatever the comments and the layout of their files.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, distribution
from importlib.resources import files
from pathlib import Path

from synth_assets.domain_files import LoadedDomain
from synth_assets.identity import digest

__all__ = ["FOLDER", "constraints", "digest_of", "recipe_files"]

FOLDER = "recipe"


def recipe_files(loaded: Mapping[str, LoadedDomain]) -> dict[str, str]:
    """Texts by path within the release: domain files, templates of their languages, digests of the data files, `constraints.txt`."""
    texts: dict[str, str] = {}
    named: list[dict[str, str | int]] = []
    for name, domain in sorted(loaded.items()):
        path = next(p for suffix in ("yaml", "yml") if (p := domain.folder / f"{name}.{suffix}").is_file())
        texts[f"{FOLDER}/domains/{path.name}"] = path.read_text(encoding="utf-8", errors="replace")
        config = domain.config
        for file in dict.fromkeys([config.seeds.path, *(r.path for r in config.real_data), *(b.path for b in config.benchmarks)]):
            if file is not None and (domain.folder / file).is_file():
                data = (domain.folder / file).read_bytes()
                named.append({"domain": name, "path": file, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()})
    texts[f"{FOLDER}/files.json"] = json.dumps(named, ensure_ascii=False, indent=2) + "\n"
    texts |= {f"{FOLDER}/{path}": text for path, text in _templates(loaded).items()}
    texts[f"{FOLDER}/constraints.txt"] = constraints()
    return texts


def digest_of(loaded: Mapping[str, LoadedDomain]) -> str:
    """Digest of the domains and templates: part of a release's version. Package versions are not, since most change no row."""
    return digest([{name: domain.digest for name, domain in sorted(loaded.items())}, _templates(loaded)])


def constraints(package: str = "synth-assets") -> str:
    """`name==version` of the package and of all that it needs here, as far as it is installed, one a line."""
    from packaging.requirements import Requirement

    found: dict[str, str] = {}
    waiting: list[tuple[str, frozenset[str]]] = [(package, frozenset())]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        name, extras = waiting.pop()
        if (_canonical(name), extras) in seen:
            continue
        seen.add((_canonical(name), extras))
        try:
            installed = distribution(name)
        except PackageNotFoundError:
            continue
        found[_canonical(name)] = installed.version
        for line in installed.requires or ():
            needed = Requirement(line)
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in extras or {""}):
                waiting.append((needed.name, frozenset(needed.extras)))
    return "".join(f"{name}=={version}\n" for name, version in sorted(found.items()))


def _templates(loaded: Mapping[str, LoadedDomain]) -> dict[str, str]:
    languages = {domain.config.language for domain in loaded.values()}
    root = Path(str(files("synth_assets.prompts")))
    return {
        f"prompts/{path.parent.name}/{path.name}": path.read_text(encoding="utf-8") for path in sorted(root.glob("*/*.yaml")) if path.parent.name in languages
    }


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
