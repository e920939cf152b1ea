"""
Every setting, its default and its unit: one Struct a role.

settings.py says what a setting is, engine.py and cluster.py have those that roles share, run.py, agent.py,
coordinator.py, status.py and check.py a role's own.
"""

from daemon.config.agent import AGENT_SETTINGS, AgentSettings, agent_settings
from daemon.config.check import CHECK_OUTPUTS, CHECK_SETTINGS, CheckSettings, check_settings
from daemon.config.clean import CLEAN_SETTINGS, CleanSettings, clean_settings
from daemon.config.coordinator import (
    COORDINATOR_SETTINGS,
    LEADING_SETTINGS,
    CoordinatorSettings,
    coordinator_settings,
)
from daemon.config.run import RUN_SETTINGS, RunSettings, run_settings
from daemon.config.settings import InvalidSetting, Setting
from daemon.config.status import (
    OUTPUTS,
    STATUS_SETTINGS,
    Named,
    StatusSettings,
    Subject,
    SwitchSettings,
    status_settings,
    switch_settings,
)


__all__ = [
    "AGENT_SETTINGS",
    "CHECK_OUTPUTS",
    "CHECK_SETTINGS",
    "CLEAN_SETTINGS",
    "COORDINATOR_SETTINGS",
    "LEADING_SETTINGS",
    "OUTPUTS",
    "RUN_SETTINGS",
    "STATUS_SETTINGS",
    "AgentSettings",
    "CheckSettings",
    "CleanSettings",
    "CoordinatorSettings",
    "InvalidSetting",
    "Named",
    "RunSettings",
    "Setting",
    "StatusSettings",
    "Subject",
    "SwitchSettings",
    "agent_settings",
    "check_settings",
    "clean_settings",
    "coordinator_settings",
    "run_settings",
    "status_settings",
    "switch_settings",
]
