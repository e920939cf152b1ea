"""What a person is told of a pull secret that a job can't have: a reason, and words with what to do. Pure."""

import re
import shlex
from collections.abc import Iterable
from typing import Final

from daemon.api.reasons import Reason
from daemon.coordinator.account import SecretTrouble
from daemon.coordinator.secrets.answer import Answer, State
from daemon.coordinator.secrets.names import Source


ROLE: Final = "prewarm-pull-secrets"

_ACCOUNT: Final = "system:serviceaccount:"
_DEFAULT_USER: Final = f"{_ACCOUNT}prewarm-system:prewarm-coordinator"
# As the API server words a refusal: User "system:serviceaccount:prewarm-system:prewarm-coordinator" cannot get ...
_USER: Final = re.compile(r'User "([^"]+)"')
_REASONS: Final = {
    State.MISSING: Reason.SECRET_MISSING,
    State.UNUSABLE: Reason.SECRET_MISSING,
    State.UNREAD: Reason.SECRET_MISSING,
    State.FORBIDDEN: Reason.SECRET_FORBIDDEN,
    State.REFUSED: Reason.SECRET_FORBIDDEN,
}


def trouble_of(answers: Iterable[tuple[Source, Answer]], *, place: str) -> SecretTrouble | None:
    """Return what a job is to say of its pull secrets; None where all are there. What needs a right comes first."""
    wrong = [(source, answer) for source, answer in answers if answer.state is not State.PRESENT]
    if not wrong:
        return None
    wrong.sort(key=lambda one: _REASONS[one[1].state] is not Reason.SECRET_FORBIDDEN)
    words = "; ".join(words_of(source, answer, place=place) for source, answer in wrong)
    return SecretTrouble(reason=_REASONS[wrong[0][1].state].value, message=words)


def words_of(source: Source, answer: Answer, *, place: str) -> str:
    """Say what is wrong with a source, and what to do."""
    named = f"secret {source.key}, which spec.pullSecrets names,"
    match answer.state:
        case State.MISSING:
            return f"{named} is not there: create it in namespace {source.namespace}, or correct the name"
        case State.UNUSABLE:
            return f"{named} {answer.words}"
        case State.FORBIDDEN:
            return f"{named} may not be read: to allow it, {role_command(source.namespace, words=answer.words)}"
        case State.REFUSED:
            return f"{named} can't be copied into namespace {place} (--secret-namespace): {answer.words}"
    return f"{named} can't be read: {answer.words}"


def role_command(namespace: str, *, words: str) -> str:
    """Return the commands that let whoever was refused in these words read the Secrets of a namespace."""
    found = _USER.search(words)
    user = found[1] if found is not None else _DEFAULT_USER
    account = user.removeprefix(_ACCOUNT)
    subject = f"--serviceaccount={account}" if account != user else f"--user={user}"
    where = f"{ROLE} --namespace {namespace}"
    return (
        f"kubectl create role {where} --verb=get --resource=secrets && "
        f"kubectl create rolebinding {where} --role={ROLE} {shlex.quote(subject)}"
    )
