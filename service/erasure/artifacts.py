"""Which trained artifacts name an account in their files."""

from collections.abc import Iterator

from models.artifact import ArtifactInvalid, list_artifacts, open_artifact
from service.sync.artifact_store import ArtifactStore


def artifacts_naming(store: ArtifactStore, account_id: str) -> Iterator[str]:
    """Yield the versions whose files name an account. One that can't be read is never served, and passed over."""
    for folder in list_artifacts(store.root):
        try:
            account_ids = open_artifact(folder, verify=False).content.account_ids
        except (ArtifactInvalid, OSError):
            continue
        if account_ids.row_of(account_id) is not None:
            yield folder.name
