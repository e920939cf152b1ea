"""The command `prewarm check`: find the API server that is meant, ask it everything, and say what it comes to."""

import sys
from collections.abc import Mapping
from typing import Final

import msgspec

from daemon.beside.creation import Creation, Outcome, try_creation
from daemon.beside.manager import LEASE
from daemon.checkup.advice import TITLES, advise
from daemon.checkup.documents import CheckDocument, Trial
from daemon.checkup.leases import OUR_LEASE, Leases, holder_of
from daemon.checkup.objects import KINDS, after_trial
from daemon.checkup.reading import REQUEST_SECONDS, Reading
from daemon.checkup.report import report
from daemon.clock import Clock, SystemClock
from daemon.cluster.contexts import DEFAULT_NAMESPACE, Place
from daemon.cluster.discovery import served_versions
from daemon.cluster.transport import HttpApi
from daemon.config import CheckSettings
from daemon.display.output import write_line
from daemon.overview.asking import asked
from daemon.overview.screens import json_text, yaml_text


TO_DO: Final = 1
AWAY: Final = 3
CHECKER: Final = "prewarm-checker of docs/check.md#rights"


def check(settings: CheckSettings, *, environment: Mapping[str, str]) -> int:
    """
    Say beside whom Prewarm is in a cluster, and what to do.

    Returns the exit code: 0 nothing to do, 1 something, 2 no usable kubeconfig, 3 the API server does not answer.
    """
    return asked(
        settings,
        environment=environment,
        ask=lambda api, place: _told(api, place=place, output=settings.output),
        role=CHECKER,
        failed=AWAY,
    )


def checked(api: HttpApi, *, place: Place, clock: Clock) -> CheckDocument:
    """
    Ask everything, and return the answer.

    Raises:
        ClusterError: not even its kinds could be asked for.
    """
    reading = Reading(api, served=served_versions(api, KINDS, timeout_seconds=REQUEST_SECONDS))
    leases = Leases(api, clock=clock)
    leases.look()  # while the rest is read, they are likely to be renewed
    facts = reading.facts()
    creation = _tried(api, namespace=place.namespace)
    leases.decide(tell=_tell)
    facts = msgspec.structs.replace(
        facts,
        webhooks=after_trial(facts.webhooks, creation=creation) if facts.webhooks is not None else None,
        manager=holder_of(leases.manager, lease=LEASE),
        coordinator=holder_of(leases.coordinator, lease=OUR_LEASE),
        creation=Trial(outcome=creation.outcome.value, webhook=creation.webhook, message=creation.words),
    )
    advice = advise(facts, manager=leases.manager, creation=creation)
    return CheckDocument(
        time=clock.now().at.replace(microsecond=0),
        server=place.access.server,
        row=advice.row,
        title=TITLES[advice.row],
        summary=advice.summary,
        steps=advice.steps,
        facts=facts,
        notes=(*reading.notes, *leases.notes()),
    )


def _tried(api: HttpApi, *, namespace: str) -> Creation:
    """Try a job in a namespace; where a context names one that is not there, in the one that always is."""
    creation = try_creation(api, namespace=namespace)
    is_missing = creation.outcome is Outcome.UNKNOWN and f'namespaces "{namespace}" not found' in creation.words
    return try_creation(api, namespace=DEFAULT_NAMESPACE) if is_missing else creation


def _tell(seconds: float) -> None:
    if sys.stderr.isatty():
        print(f"waiting up to {seconds:.0f} s to see whether a Lease is renewed", file=sys.stderr)


def _told(api: HttpApi, *, place: Place, output: str) -> int:
    document = checked(api, place=place, clock=SystemClock())
    write_line(sys.stdout, _text(document, output=output))
    return TO_DO if document.steps else 0


def _text(document: CheckDocument, *, output: str) -> str:
    match output:
        case "json":
            return json_text(document)
        case "yaml":
            return yaml_text(document)
        case _:
            return report(document)
