"""
What all tags of a repository share on a node, by the jobs that own an entry there: sandbox settings and pull secrets.

Pure. Where no job owns an entry, the settings are whoever's made it by hand.
"""

from collections.abc import Iterable, Mapping

from daemon.api.nodeimage import SandboxConfig, SecretReference, TagEntry
from daemon.coordinator.claiming import claims_of
from daemon.coordinator.entry import Claim, has_others, sandbox_of
from daemon.coordinator.fleet import Fleet
from daemon.coordinator.records import NodeRecord
from daemon.coordinator.seen import PLAIN_SETTINGS, ImageKey, RepositorySettings, SeenNodeImage


Entries = Mapping[ImageKey, TagEntry | None]


def sandboxes_of(
    fleet: Fleet, record: NodeRecord, *, entries: Entries, grants: frozenset[str]
) -> dict[str, SandboxConfig]:
    """Return the sandbox settings that change: those of repositories with a changed entry or a job's edit."""
    found = {}
    for repository in _repositories(record, entries):
        claims = _claims(fleet, record, repository=repository, entries=entries, grants=grants)
        wanted = sandbox_of(claim.job for claim in claims)
        # Without a job the settings are whoever's made the entry by hand.
        if claims and wanted != _standing(record.image, repository).sandbox_config:
            found[repository] = wanted
    return found


def secrets_of(
    fleet: Fleet, record: NodeRecord, *, entries: Entries, grants: frozenset[str]
) -> dict[str, tuple[SecretReference, ...]]:
    """
    Return the pull secrets that change: the copies of all jobs that own an entry of the repository, and no others.

    What stands there for entries of other owners stays; and everything, until the copies of each job are known. The
    `mode` is not compared: OpenKruise's v1alpha1 drops it.
    """
    found = {}
    for repository in _repositories(record, entries):
        claims = _claims(fleet, record, repository=repository, entries=entries, grants=grants)
        standing = _standing(record.image, repository).pull_secrets
        wanted = {_name(each): each for claim in claims for each in fleet.secrets.get(claim.job.uid, ())}
        if not _is_all_known(fleet, claims) or _has_others(record.image, repository):
            wanted |= {_name(each): each for each in standing if _name(each) not in wanted}
        if claims and wanted.keys() != {_name(each) for each in standing}:
            found[repository] = tuple(wanted[name] for name in sorted(wanted))
    return found


def _repositories(record: NodeRecord, entries: Entries) -> set[str]:
    return {key.repository for key in (*entries, *record.suspects)}


def _claims(
    fleet: Fleet, record: NodeRecord, *, repository: str, entries: Entries, grants: frozenset[str]
) -> list[Claim]:
    known = record.image.entries if record.image is not None else {}
    keys = {key for key in (*known, *entries) if key.repository == repository}
    return [claim for key in keys for claim in claims_of(fleet, record, key=key, grants=grants)]


def _standing(image: SeenNodeImage | None, repository: str) -> RepositorySettings:
    return image.settings.get(repository, PLAIN_SETTINGS) if image is not None else PLAIN_SETTINGS


def _is_all_known(fleet: Fleet, claims: Iterable[Claim]) -> bool:
    return all(claim.job.uid in fleet.secrets for claim in claims if claim.job.template.pull_secrets)


def _has_others(image: SeenNodeImage | None, repository: str) -> bool:
    """Tell whether an entry of a repository is not jobs' alone."""
    entries = image.entries if image is not None else {}
    return any(has_others(entry) for key, entry in entries.items() if key.repository == repository)


def _name(reference: SecretReference) -> tuple[str, str]:
    return reference.namespace, reference.name
