"""Settings of a coordinator: a flag beats its variable, which beats the default; each bad value names its origin."""

import argparse

import msgspec
import pytest

from daemon.api.names import is_dns_subdomain
from daemon.cli import _parser
from daemon.config import (
    COORDINATOR_SETTINGS,
    LEADING_SETTINGS,
    CoordinatorSettings,
    InvalidSetting,
    Setting,
    agent_settings,
    coordinator_settings,
)


# For each setting: a text, what it becomes, and another text with what that becomes.
EXAMPLES = {
    "kubeconfig": ("/a", "/a", "/b", "/b"),
    "service_account_folder": ("/a", "/a", "/b", "/b"),
    "lease_namespace": ("a", "a", "b-c", "b-c"),
    "identity": ("prewarm-coordinator-5d4f-x", "prewarm-coordinator-5d4f-x", "Host_7", "Host_7"),
    "write_rate": ("20", 20.0, "0.5", 0.5),
    "gate_taint": ("example.com/cold", "example.com/cold", "", ""),
    "gate_deadline_seconds": ("300", 300.0, "1.5", 1.5),
    "listen": ("127.0.0.1:1", "127.0.0.1:1", "[::1]:0", "[::1]:0"),
    "secret_namespace": ("copies", "copies", "others", "others"),
    "log_format": ("json", "json", "console", "console"),
}
BAD = [
    ("--lease-namespace", ""),
    ("--lease-namespace", "a/b"),
    ("--identity", ""),
    ("--identity", "two words"),
    ("--identity", "two\nlines"),
    ("--identity", "a" * 254),
    ("--write-rate", ""),
    ("--write-rate", "0"),
    ("--write-rate", "-1"),
    ("--write-rate", "many"),
    ("--write-rate", "nan"),
    ("--write-rate", "inf"),
    ("--gate-taint", "example.com/"),
    ("--gate-taint", "/cold"),
    ("--gate-taint", "example.com/cold=yes:NoSchedule"),
    ("--gate-taint", "a" * 64),
    ("--gate-taint", "a/b/c"),
    ("--gate-deadline", ""),
    ("--gate-deadline", "0"),
    ("--gate-deadline", "-1"),
    ("--gate-deadline", "10m"),
    ("--gate-deadline", "nan"),
    ("--secret-namespace", "a/b"),
    ("--log-format", "text"),
]


def _settle(given: dict[str, object], environment: dict[str, str]) -> CoordinatorSettings:
    return coordinator_settings(given, environment=environment)


def _by_flag(flag: str) -> Setting:
    return next(setting for setting in COORDINATOR_SETTINGS if setting.flag == flag)


def _parsed(*arguments: str) -> argparse.Namespace:
    return _parser().parse_args(list(arguments))


def _as_agent(*options: str, environment: dict[str, str] | None = None) -> CoordinatorSettings | None:
    parsed = _parsed("agent", "--node-name", "worker-1", *options)
    return agent_settings(vars(parsed), environment=environment or {}).coordinator


def test_defaults_are_those_of_the_struct() -> None:
    """Nothing but an identity given: nothing but the defaults."""
    assert CoordinatorSettings(identity="a") == _settle({"identity": "a"}, {})


def test_every_field_has_a_setting() -> None:
    """What nobody can set is no setting, and what is no field would be lost."""
    assert set(CoordinatorSettings.__struct_fields__) == {setting.field for setting in COORDINATOR_SETTINGS}


@pytest.mark.parametrize("setting", COORDINATOR_SETTINGS, ids=lambda setting: setting.flag)
def test_a_flag_beats_its_variable_which_beats_the_default(setting: Setting) -> None:
    """For every setting there is."""
    text, value, other_text, other_value = EXAMPLES[setting.field]

    by_flag = _settle({setting.field: text}, {setting.variable: other_text})
    by_variable = _settle({setting.field: None}, {setting.variable: other_text})

    assert (value, other_value) == (getattr(by_flag, setting.field), getattr(by_variable, setting.field))


@pytest.mark.parametrize(("flag", "text"), BAD)
def test_a_bad_value_names_its_flag_or_its_variable(flag: str, text: str) -> None:
    """And the value, so that a person finds where it stands."""
    setting = _by_flag(flag)

    with pytest.raises(InvalidSetting) as by_flag:
        _settle({setting.field: text}, {})
    with pytest.raises(InvalidSetting) as by_variable:
        _settle({setting.field: None}, {setting.variable: text})

    assert str(by_flag.value).startswith(f"{flag}: ")
    assert str(by_variable.value).startswith(f"{setting.variable}: ")
    assert text in str(by_flag.value)


@pytest.mark.parametrize(
    ("variable", "field"), [("POD_NAME", "identity"), ("POD_NAMESPACE", "lease_namespace")], ids=lambda text: text
)
def test_a_pod_tells_its_name_and_its_namespace(variable: str, field: str) -> None:
    """As the downward API has them; our own variable comes first, and the flag before both."""
    ours = _by_flag("--" + field.replace("_", "-")).variable

    assert "a" == getattr(_settle({}, {variable: "a"}), field)
    assert "b" == getattr(_settle({}, {variable: "a", ours: "b"}), field)
    assert "c" == getattr(_settle({field: "c"}, {variable: "a", ours: "b"}), field)


def test_two_coordinators_of_one_machine_have_two_identities() -> None:
    """With the same one, each would take the other's Lease for its own, and both would lead."""
    assert _settle({}, {}).identity != _settle({}, {}).identity


def test_the_default_taint_is_one_that_the_cluster_autoscaler_takes_for_a_startup_taint() -> None:
    """By its prefix: such a node is coming up, and no further one is bought in its place."""
    taint = CoordinatorSettings(identity="a").gate_taint

    assert taint.startswith("startup-taint.cluster-autoscaler.kubernetes.io/")


def test_the_lease_is_in_the_namespace_of_the_manifest() -> None:
    """One that is started by hand beside the Deployment contends for the same Lease."""
    assert "prewarm-system" == _settle({}, {}).lease_namespace
    assert is_dns_subdomain(_settle({}, {}).lease_namespace)


def test_an_agent_does_not_coordinate_unless_it_is_told_to() -> None:
    """A right that it does not have would be missed at once."""
    assert _as_agent() is None
    assert _as_agent("--with-coordinator=false") is None


def test_an_agent_that_coordinates_has_all_of_a_coordinator_s_settings() -> None:
    """Those that both roles have are the same in both."""
    both = ("--kubeconfig", "/k", "--listen", ":1", "--secret-namespace", "copies", "--log-format", "json")

    assert CoordinatorSettings(
        identity="a",
        write_rate=5.0,
        kubeconfig="/k",
        listen=":1",
        secret_namespace="copies",
        log_format="json",
    ) == _as_agent("--with-coordinator", "--identity", "a", "--write-rate", "5", *both)


def test_an_agent_that_coordinates_is_told_by_variables_too() -> None:
    """An overlay sets them beside NODE_NAME."""
    environment = {"PREWARM_WITH_COORDINATOR": "true", "POD_NAME": "prewarm-agent-x", "PREWARM_GATE_TAINT": ""}

    settings = _as_agent(environment=environment)

    assert CoordinatorSettings(identity="prewarm-agent-x", gate_taint="") == settings


@pytest.mark.parametrize("setting", LEADING_SETTINGS, ids=lambda setting: setting.flag)
def test_a_coordinator_s_flag_without_the_switch_is_told(setting: Setting) -> None:
    """It would have no effect, and nobody would notice."""
    text, *_ = EXAMPLES[setting.field]

    with pytest.raises(InvalidSetting, match=f"^{setting.flag}: needs --with-coordinator"):
        _as_agent(setting.flag, text)


@pytest.mark.parametrize("setting", LEADING_SETTINGS, ids=lambda setting: setting.flag)
def test_a_coordinator_s_variable_without_the_switch_is_left_alone(setting: Setting) -> None:
    """Agents and coordinators may have their variables from one ConfigMap; POD_NAME is an agent's as well."""
    text, *_ = EXAMPLES[setting.field]

    assert _as_agent(environment=dict.fromkeys((setting.variable, *setting.variables), text)) is None


def test_a_bad_value_of_an_agent_that_coordinates_is_told() -> None:
    """By the same words as a coordinator's."""
    with pytest.raises(InvalidSetting, match=r'^--write-rate: "0" is not'):
        _as_agent("--with-coordinator", "--write-rate", "0")


@pytest.mark.parametrize("setting", COORDINATOR_SETTINGS, ids=lambda setting: setting.flag)
def test_each_option_of_the_command_line_reaches_its_setting(setting: Setting) -> None:
    """In both spellings of a value."""
    text, value, *_ = EXAMPLES[setting.field]

    for options in ([setting.flag, text], [f"{setting.flag}={text}"]):
        settings = coordinator_settings(vars(_parsed("coordinator", *options)), environment={})
        assert value == msgspec.structs.asdict(settings)[setting.field]


def test_no_setting_takes_a_secret() -> None:
    """Arguments and variables of a process can be read by others on the node: a file's name may stand there."""
    words = ("password", "token", "auth", "credential", "key")

    assert [] == [setting.flag for setting in COORDINATOR_SETTINGS if any(word in setting.flag for word in words)]
