"""Settings of `prewarm run`: a flag beats its variable, which beats the default; each bad value names its origin."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.api.nodeimage import ImagePullPolicy
from daemon.config import RUN_SETTINGS, InvalidSetting, RunSettings, Setting, run_settings


ROOT = Path(__file__).parents[3]
ARGUMENTS: dict[str, object] = {"sources": ["job.yaml"], "images": [], "is_watching": False}

# For each setting: a text, what it becomes, and another text with what that becomes.
EXAMPLES = {
    "image_pull_policy": ("Always", ImagePullPolicy.ALWAYS, "IfNotPresent", ImagePullPolicy.IF_NOT_PRESENT),
    "runtime_endpoint": ("unix:///run/a.sock", "unix:///run/a.sock", "/run/b.sock", "/run/b.sock"),
    "runtime_wait_seconds": ("0", 0.0, "2.5", 2.5),
    "max_concurrent_pulls": ("1", 1, "7", 7),
    "min_free": ("10Gi", "10Gi", "0", "0"),
    "node_name": ("a", "a", "b", "b"),
    "node_labels": ("a=1, b=", {"a": "1", "b": ""}, "", {}),
    "plugin_bin_dir": ("/a", "/a", "/b", "/b"),
    "plugin_config": ("/a", "/a", "/b", "/b"),
    "output": ("json", "json", "lines", "lines"),
}
BAD = [
    ("--image-pull-policy", "Never"),
    ("--image-pull-policy", "always"),
    ("--runtime-endpoint", "tcp://127.0.0.1:1"),
    ("--runtime-endpoint", "containerd.sock"),
    ("--runtime-wait", "-1"),
    ("--runtime-wait", "soon"),
    ("--runtime-wait", "nan"),
    ("--runtime-wait", "inf"),
    ("--max-concurrent-pulls", "0"),
    ("--max-concurrent-pulls", "-1"),
    ("--max-concurrent-pulls", "two"),
    ("--max-concurrent-pulls", ""),
    ("--min-free", "120%"),
    ("--min-free", "10 GB"),
    ("--min-free", "-5%"),
    ("--min-free", ""),
    ("--node-labels", "pool"),
    ("--node-labels", "=gpu"),
    ("--node-labels", "a=1,b"),
    ("--output", "xml"),
    ("--output", ""),
]


def _settle(given: dict[str, str], environment: dict[str, str]) -> RunSettings:
    return run_settings({"plugin_bin_dir": "/plugins", **ARGUMENTS, **given}, environment=environment)


def _by_flag(flag: str) -> Setting:
    return next(setting for setting in RUN_SETTINGS if setting.flag == flag)


def test_defaults_are_those_that_the_docs_state() -> None:
    """Nothing given: nothing but the defaults."""
    assert RunSettings(sources=("job.yaml",)) == run_settings(ARGUMENTS, environment={})


@pytest.mark.parametrize("setting", RUN_SETTINGS, ids=lambda setting: setting.flag)
def test_a_flag_beats_its_variable_which_beats_the_default(setting: Setting) -> None:
    """For every setting there is."""
    text, value, other_text, other_value = EXAMPLES[setting.field]
    default = getattr(RunSettings(), setting.field)

    by_flag = _settle({setting.field: text}, {setting.variable: other_text})
    by_variable = run_settings(
        {**ARGUMENTS, **({"plugin_bin_dir": "/plugins"} if setting.field == "plugin_config" else {})},
        environment={setting.variable: other_text},
    )

    assert (value, other_value) == (getattr(by_flag, setting.field), getattr(by_variable, setting.field))
    assert default == getattr(run_settings(ARGUMENTS, environment={}), setting.field)


@pytest.mark.parametrize(("flag", "text"), BAD)
def test_a_bad_value_names_its_flag_or_its_variable(flag: str, text: str) -> None:
    """And the value, so that a person finds where it stands."""
    setting = _by_flag(flag)

    with pytest.raises(InvalidSetting) as by_flag:
        _settle({setting.field: text}, {})
    with pytest.raises(InvalidSetting) as by_variable:
        _settle({}, {setting.variable: text})

    assert str(by_flag.value).startswith(f"{flag}: ")
    assert str(by_variable.value).startswith(f"{setting.variable}: ")
    assert text.rpartition(",")[2] in str(by_flag.value)


def test_the_node_s_name_is_also_in_node_name() -> None:
    """As a Pod's downward API has it; our own variable comes first."""
    assert "a" == _settle({}, {"NODE_NAME": "a"}).node_name
    assert "b" == _settle({}, {"NODE_NAME": "a", "PREWARM_NODE_NAME": "b"}).node_name


def test_plugins_need_their_folder() -> None:
    """Without it they would be looked for in the current folder, which anyone may have written."""
    with pytest.raises(InvalidSetting, match="--plugin-config: needs --plugin-bin-dir"):
        run_settings({**ARGUMENTS, "plugin_config": "/etc/plugins.yaml"}, environment={})


@pytest.mark.parametrize(
    ("arguments", "variables", "expected"),
    [
        (["--min-free", "much"], {}, "prewarm: --min-free: "),
        ([], {"PREWARM_MIN_FREE": "much"}, "prewarm: PREWARM_MIN_FREE: "),
        (["--runtime-endpoint", "tcp://a"], {}, "prewarm: --runtime-endpoint: "),
        (["--nonsense"], {}, "prewarm run: error: unrecognized arguments"),
        (["--min", "0"], {}, "prewarm run: error: unrecognized arguments"),
        (["--image", "Nginx"], {}, '--image: Invalid value: "Nginx": '),
    ],
)
def test_a_bad_option_is_one_line_and_exit_code_2(
    arguments: list[str], variables: dict[str, str], expected: str
) -> None:
    """No traceback, and nothing was started."""
    done = subprocess.run(
        [sys.executable, "-m", "daemon", "run", "--image", "nginx", *arguments],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )

    assert (2, "") == (done.returncode, done.stdout)
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
