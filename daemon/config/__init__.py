"""
Every setting, its default and its unit: one Struct a role.

settings.py says what a setting is, engine.py has those that every role shares, run.py and agent.py a role's own.
"""

from daemon.config.agent import AGENT_SETTINGS, AgentSettings, agent_settings
from daemon.config.run import RUN_SETTINGS, RunSettings, run_settings
from daemon.config.settings import InvalidSetting, Setting


__all__ = [
    "AGENT_SETTINGS",
    "RUN_SETTINGS",
    "AgentSettings",
    "InvalidSetting",
    "RunSettings",
    "Setting",
    "agent_settings",
    "run_settings",
]
