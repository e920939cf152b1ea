"""What a person is told of a pull secret that a job can't have."""

import shlex

from daemon.coordinator.secrets.answer import Answer, State
from daemon.coordinator.secrets.names import Source
from daemon.coordinator.secrets.words import role_command, trouble_of


A, B = Source("team-a", "regcred"), Source("team-a", "other")
GOOD = Answer(state=State.PRESENT, copy="regcred-1", digest="1")
REFUSAL = (
    'get /api/v1/namespaces/team-a/secrets/other: HTTP 403: secrets "other" is forbidden: '
    'User "system:serviceaccount:prewarm-system:prewarm-coordinator" cannot get resource "secrets"'
)


def test_a_job_that_has_all_of_them_is_told_nothing() -> None:
    """Nor is one that names none."""
    assert (None, None) == (trouble_of([(A, GOOD)], place="copies"), trouble_of([], place="copies"))


def test_a_missing_one_says_which_and_where() -> None:
    """In one sentence, with what to do."""
    trouble = trouble_of([(A, Answer(state=State.MISSING)), (B, GOOD)], place="copies")

    assert trouble is not None
    assert "SecretMissing" == trouble.reason
    assert (
        "secret team-a/regcred, which spec.pullSecrets names, is not there: "
        "create it in namespace team-a, or correct the name"
    ) == trouble.message


def test_what_needs_a_right_comes_first() -> None:
    """Then the reason is SecretForbidden, and the others stand in the message too."""
    answers = [(A, Answer(state=State.MISSING)), (B, Answer(state=State.FORBIDDEN, words=REFUSAL))]

    trouble = trouble_of(answers, place="copies")

    assert trouble is not None
    assert "SecretForbidden" == trouble.reason
    assert trouble.message.index("team-a/other") < trouble.message.index("team-a/regcred")


def test_the_role_is_for_whoever_was_refused() -> None:
    """As the API server names them; a user that is no service account is one in the binding too."""
    ours = role_command("team-a", words=REFUSAL)
    person = role_command("team-a", words='User "an admin; rm" cannot get')

    assert (
        "kubectl create role prewarm-pull-secrets --namespace team-a --verb=get --resource=secrets && "
        "kubectl create rolebinding prewarm-pull-secrets --namespace team-a --role=prewarm-pull-secrets "
        "--serviceaccount=prewarm-system:prewarm-coordinator"
    ) == ours
    assert "--user=an admin; rm" == shlex.split(person)[-1]


def test_words_that_name_nobody_mean_the_coordinator_s_own_account() -> None:
    """Another authorizer's refusal may say less."""
    assert "--serviceaccount=prewarm-system:prewarm-coordinator" in role_command("team-a", words="no")


def test_each_state_has_words() -> None:
    """And those of the API server, where it said some."""
    said = {
        state: trouble_of([(A, Answer(state=state, words="as the server says"))], place="copies")
        for state in State
        if state is not State.PRESENT
    }

    assert {
        "missing": "SecretMissing",
        "unusable": "SecretMissing",
        "unread": "SecretMissing",
        "forbidden": "SecretForbidden",
        "refused": "SecretForbidden",
    } == {state.value: trouble.reason for state, trouble in said.items() if trouble is not None}
    told = {state for state, trouble in said.items() if trouble is not None and "as the server says" in trouble.message}
    assert {State.UNUSABLE, State.UNREAD, State.REFUSED} == told
