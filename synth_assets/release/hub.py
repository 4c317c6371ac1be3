"""A release on the Hugging Face Hub: what would go there, and the upload of exactly that.

A release is verified first, and goes up as one commit with the release's version as its tag. The token is the Hub library's own business
(HF_TOKEN or its login): here it is only asked whether there is one. Invariant: what a dry run lists is what an upload sends.
"""

from dataclasses import dataclass
from pathlib import Path

from synth_assets.errors import StageFailed
from synth_assets.release import export

__all__ = ["Upload", "plan", "push"]


@dataclass(frozen=True)
class Upload:
    """Files of one release for one dataset repository."""

    folder: Path
    repo: str
    """owner/name."""
    private: bool
    files: list[tuple[str, int]]
    """Path within the repository and bytes, sorted by path."""

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(size for _, size in self.files)


def plan(folder: Path, repo: str, *, private: bool = False) -> Upload:
    """What a push would do; nothing is sent.

    Raises:
        StageFailed: the name is none of a repository, or the release is not as it was written.
    """
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils._validators import validate_repo_id

    try:
        validate_repo_id(repo)
    except HFValidationError as error:
        raise StageFailed(f"{repo!r} is no name of a repository: {error}. Write owner/name.") from error
    if repo.count("/") != 1:
        raise StageFailed(f"{repo!r} names no owner: write owner/name, so that it cannot land in another account.")
    if faults := export.verify(folder):
        raise StageFailed(f"{folder} is not as it was written, and is not pushed: {'; '.join(faults[:5])}. Release again, or name another version.")
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return Upload(folder, repo, private, [(path.relative_to(folder).as_posix(), path.stat().st_size) for path in paths])


def push(upload: Upload) -> str:
    """Make the repository if it is missing, upload the files as one commit, and tag it; returns the commit's address.

    Raises:
        StageFailed: the Hub refused or could not be reached; the message never holds a token.
    """
    import httpx2
    from huggingface_hub import HfApi, get_token
    from huggingface_hub.errors import HfHubHTTPError

    if get_token() is None:
        raise StageFailed("there is no token for the Hub: set HF_TOKEN, or log in with `hf auth login`.")
    api = HfApi()
    version = upload.folder.name
    try:
        api.create_repo(upload.repo, repo_type="dataset", private=upload.private, exist_ok=True)
        # What an earlier release had and this one has not would be read with it by the card's patterns.
        commit = api.upload_folder(
            repo_id=upload.repo,
            folder_path=upload.folder,
            repo_type="dataset",
            commit_message=f"Release {version}",
            allow_patterns=[path for path, _ in upload.files],
            delete_patterns=["sft/*", "preference/*", "alpaca/*", "sharegpt/*", "recipe/*", "quality_report.html"],
        )
        api.create_tag(upload.repo, tag=version, revision=commit.oid, repo_type="dataset", exist_ok=True)
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else "no status"
        remedy = "The token needs write access to the repository." if status in {401, 403} else "Try again later."
        raise StageFailed(f"the Hub refused to take {version} into {upload.repo} (HTTP {status}). {remedy}") from error
    except (httpx2.HTTPError, OSError) as error:
        raise StageFailed(f"the Hub could not be reached ({type(error).__name__}): {version} was not pushed. Try again.") from error
    return str(commit.commit_url)
