"""Settings of `prewarm agent`: a flag beats its variable, which beats the default; each bad value names its origin."""

import argparse

import pytest

from daemon.cli import _parser
from daemon.config import AGENT_SETTINGS, AgentSettings, InvalidSetting, Setting, agent_settings


NODE: dict[str, object] = {"node_name": "worker-1"}

# For each setting: a text, what it becomes, and another text with what that becomes.
EXAMPLES = {
    "node_name": ("a", "a", "b.example", "b.example"),
    "kubeconfig": ("/a", "/a", "/b", "/b"),
    "service_account_folder": ("/a", "/a", "/b", "/b"),
    "runtime_endpoint": ("unix:///run/a.sock", "unix:///run/a.sock", "/run/b.sock", "/run/b.sock"),
    "max_concurrent_pulls": ("1", 1, "7", 7),
    "min_free": ("10Gi", "10Gi", "0", "0"),
    "listen": ("127.0.0.1:1", "127.0.0.1:1", "[::1]:0", "[::1]:0"),
    "secret_namespace": ("copies", "copies", "others", "others"),
    "has_owner_events": ("true", True, "false", False),
    "plugin_bin_dir": ("/a", "/a", "/b", "/b"),
    "plugin_config": ("/a", "/a", "/b", "/b"),
    "log_format": ("json", "json", "console", "console"),
}
# All but the switch that adds a coordinator.
OWN_SETTINGS = [setting for setting in AGENT_SETTINGS if setting.field in EXAMPLES]
BAD = [
    ("--node-name", ""),
    ("--node-name", "Worker-1"),
    ("--node-name", "worker_1"),
    ("--node-name", "worker-1."),
    ("--node-name", "a" * 254),
    ("--runtime-endpoint", "tcp://127.0.0.1:1"),
    ("--runtime-endpoint", "containerd.sock"),
    ("--max-concurrent-pulls", "0"),
    ("--max-concurrent-pulls", "-1"),
    ("--max-concurrent-pulls", "two"),
    ("--min-free", "120%"),
    ("--min-free", "10 GB"),
    ("--min-free", ""),
    ("--secret-namespace", ""),
    ("--secret-namespace", "a/b"),
    ("--secret-namespace", ".."),
    ("--owner-events", "yes"),
    ("--owner-events", ""),
    ("--log-format", "text"),
    ("--log-format", ""),
    ("--with-coordinator", "yes"),
    ("--with-coordinator", ""),
]
# kruise-daemon's own flags, with which a DaemonSet of OpenKruise's can be edited rather than rewritten.
ALIASES = {
    "--addr": "listen",
    "--socket-file": "runtime_endpoint",
    "--plugin-config-file": "plugin_config",
    "--max-workers-for-pull-image": "max_concurrent_pulls",
}


def _settle(given: dict[str, object], environment: dict[str, str]) -> AgentSettings:
    return agent_settings({"plugin_bin_dir": "/plugins", **NODE, **given}, environment=environment)


def _by_flag(flag: str) -> Setting:
    return next(setting for setting in AGENT_SETTINGS if setting.flag == flag)


def _parsed(*arguments: str) -> argparse.Namespace:
    return _parser().parse_args(["agent", *arguments])


def test_defaults_are_those_of_the_struct() -> None:
    """Nothing but the node's name given: nothing but the defaults."""
    assert AgentSettings(node_name="worker-1") == agent_settings(NODE, environment={})


def test_every_field_has_a_setting() -> None:
    """What nobody can set is no setting, and what is no field would be lost."""
    fields = {setting.field for setting in AGENT_SETTINGS}

    # The switch says whether there is a coordinator; what that has is tests/unit/coordinator/test_settings.py's.
    assert set(AgentSettings.__struct_fields__) - {"coordinator"} == fields - {"with_coordinator"}


@pytest.mark.parametrize("setting", OWN_SETTINGS, ids=lambda setting: setting.flag)
def test_a_flag_beats_its_variable_which_beats_the_default(setting: Setting) -> None:
    """For every setting there is."""
    text, value, other_text, other_value = EXAMPLES[setting.field]

    by_flag = _settle({setting.field: text}, {setting.variable: other_text})
    by_variable = _settle({setting.field: None}, {setting.variable: other_text, "PREWARM_PLUGIN_BIN_DIR": "/b"})

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


def test_the_node_s_name_is_never_guessed() -> None:
    """A host's name is often another: an agent would serve nobody's NodeImage, or another node's."""
    with pytest.raises(InvalidSetting, match=r"^--node-name: required, .*NODE_NAME"):
        agent_settings({}, environment={"HOSTNAME": "worker-1"})


def test_the_node_s_name_is_also_in_node_name() -> None:
    """As a Pod's downward API has it; our own variable comes first, and the flag before both."""
    both = {"NODE_NAME": "a", "PREWARM_NODE_NAME": "b"}

    assert "a" == agent_settings({}, environment={"NODE_NAME": "a"}).node_name
    assert "b" == agent_settings({}, environment=both).node_name
    assert "c" == agent_settings({"node_name": "c"}, environment=both).node_name


def test_a_bad_node_name_is_blamed_on_the_variable_that_has_it() -> None:
    """Also where that is not one of ours."""
    with pytest.raises(InvalidSetting, match=r"^NODE_NAME: "):
        agent_settings({}, environment={"NODE_NAME": "Worker 1"})


def test_plugins_need_their_folder() -> None:
    """Without it they would be looked for in the current folder, which anyone may have written."""
    with pytest.raises(InvalidSetting, match="--plugin-config: needs --plugin-bin-dir"):
        agent_settings({**NODE, "plugin_config": "/etc/plugins.yaml"}, environment={})


@pytest.mark.parametrize(("alias", "field"), ALIASES.items())
def test_kruise_daemon_s_names_work(alias: str, field: str) -> None:
    """In both spellings of a value."""
    text, *_ = EXAMPLES[field]

    assert text == getattr(_parsed(alias, text), field)
    assert text == getattr(_parsed(f"{alias}={text}"), field)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--owner-events"], True),
        (["--owner-events=true"], True),
        (["--owner-events=false"], False),
        ([], False),
    ],
)
def test_a_switch_needs_no_value(options: list[str], expected: bool) -> None:  # noqa: FBT001 - a table
    """Alone it is on; a value can still turn it off, as in Kubernetes' own commands."""
    parsed = _parsed("--node-name", "worker-1", *options)

    assert expected == agent_settings(vars(parsed), environment={}).has_owner_events


def test_no_setting_takes_a_secret() -> None:
    """Arguments and variables of a process can be read by others on the node: a file's name may stand there."""
    words = ("password", "token", "auth", "credential", "key")

    assert [] == [setting.flag for setting in AGENT_SETTINGS if any(word in setting.flag for word in words)]
