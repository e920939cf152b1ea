"""
The `prewarm` command: arguments in, an exit code out. Nothing else knows about argv.

Each command loads what it needs when it runs, so that `--help` and `validate` never pay for gRPC.
"""

import argparse
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from daemon import __version__, helptext
from daemon.config import (
    AGENT_SETTINGS,
    CHECK_OUTPUTS,
    CHECK_SETTINGS,
    CLEAN_SETTINGS,
    COORDINATOR_SETTINGS,
    LEADING_SETTINGS,
    OUTPUTS,
    RUN_SETTINGS,
    STATUS_SETTINGS,
    InvalidSetting,
    Setting,
    agent_settings,
    check_settings,
    clean_settings,
    coordinator_settings,
    run_settings,
    status_settings,
    switch_settings,
)
from daemon.display.output import OutputLost


BAD_INPUT = 2
OUTPUT_LOST = 74


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    _prepare_streams()
    options, unknown = _parser(_program()).parse_known_args(arguments)
    if unknown:
        # By the command's own parser, which shows the command's usage.
        options.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    try:
        return int(options.command(options))
    except InvalidSetting as error:
        print(f"prewarm: {error}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader has gone (`| head`): nothing more can be said.
        _silence_output()
        return 141
    except OutputLost as error:
        _silence_output()
        print(f"prewarm: standard output can't be written: {error}", file=sys.stderr)
        return OUTPUT_LOST


def _silence_output() -> None:
    """Keep the interpreter's last flush from failing once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _prepare_streams() -> None:
    """
    Open the standard streams that are closed on nothing, and let standard output take every character.

    A registry chooses some of the words we write; in a locale that lacks them they are escaped.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - open as long as the process is
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _parser(program: str = "prewarm") -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=program, description=helptext.DESCRIPTION, epilog=helptext.EPILOG)
    parser.add_argument("--version", action="version", version=f"prewarm {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_run(commands)
    _add_agent(commands)
    _add_coordinator(commands)
    _add_validate(commands)
    _add_status(commands, program=program)
    _add_switch(commands, "suspend", program=program)
    _add_switch(commands, "resume", program=program)
    _add_check(commands, program=program)
    _add_clean(commands)
    return parser


def _program() -> str:
    """Return what a person has called: `kubectl prewarm` where kubectl has found us as its plugin."""
    return "kubectl prewarm" if Path(sys.argv[0]).name == "kubectl-prewarm" else "prewarm"


def _add_run(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    run = commands.add_parser(
        "run",
        help="bring the images of manifests to this machine, without an API server",
        usage="prewarm run [OPTION]... [--image IMAGE]... [FILE]...",
        description=helptext.RUN,
        allow_abbrev=False,
        epilog=helptext.RUN_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    run.add_argument("sources", nargs="*", metavar="FILE", help="manifests: files, folders, or - for standard input")
    run.add_argument(
        "--image",
        action="append",
        default=[],
        dest="images",
        metavar="IMAGE",
        help="an image by name, as in docker pull; may be repeated",
    )
    run.add_argument(
        "--watch",
        action="store_true",
        dest="is_watching",
        help="stay: keep the images there, and renew those of Never jobs",
    )
    _add_settings(run, RUN_SETTINGS)
    run.set_defaults(command=_run, parser=run)


def _add_agent(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    agent = commands.add_parser(
        "agent",
        help="serve one node of a cluster, as its NodeImage says",
        usage="prewarm agent --node-name NAME [OPTION]...",
        description=helptext.AGENT,
        allow_abbrev=False,
        epilog=helptext.AGENT_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_settings(agent, AGENT_SETTINGS)
    _add_settings(agent.add_argument_group("options that need --with-coordinator"), LEADING_SETTINGS)
    agent.set_defaults(command=_agent, parser=agent)


def _add_coordinator(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    coordinator = commands.add_parser(
        "coordinator",
        help="turn jobs and lists into what each node is asked for",
        usage="prewarm coordinator [OPTION]...",
        description=helptext.COORDINATOR,
        allow_abbrev=False,
        epilog=helptext.COORDINATOR_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_settings(coordinator, COORDINATOR_SETTINGS)
    coordinator.set_defaults(command=_coordinator, parser=coordinator)


def _add_settings(parser: argparse._ActionsContainer, settings: tuple[Setting, ...]) -> None:
    """Offer each setting as a flag; its text is parsed in config/, with its twin's."""
    for setting in settings:
        if setting.is_switch:
            parser.add_argument(
                setting.flag, dest=setting.field, metavar=setting.metavar, help=setting.help, nargs="?", const="true"
            )
        else:
            flags = [f"-{setting.letter}", setting.flag] if setting.letter else [setting.flag]
            parser.add_argument(*flags, dest=setting.field, metavar=setting.metavar, help=setting.help)
        for alias in setting.aliases:
            parser.add_argument(alias, dest=setting.field, help=argparse.SUPPRESS)


def _add_validate(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    validate = commands.add_parser(
        "validate",
        help="check manifests without touching anything",
        description=helptext.VALIDATE,
        allow_abbrev=False,
        epilog=helptext.VALIDATE_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    validate.add_argument(
        "sources", nargs="+", metavar="FILE", help="manifests: files, folders, or - for standard input"
    )
    validate.set_defaults(command=_validate, parser=validate)


def _add_status(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", *, program: str) -> None:
    status = commands.add_parser(
        "status",
        help="show how far jobs and nodes of a cluster are, and why",
        usage=f"{program} status [NAME | KIND NAME | nodes | images] [OPTION]...",
        description=helptext.STATUS,
        allow_abbrev=False,
        epilog=helptext.STATUS_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    status.add_argument(
        "words", nargs="*", metavar="NAME", help="a job, a list or a node; or job/, list/ or node/NAME; or all nodes"
    )
    _add_everywhere(status, help_text="the jobs of all namespaces")
    status.add_argument("-o", "--output", choices=OUTPUTS, help="more columns, or a document for programs")
    status.add_argument(
        "-w", "--watch", action="store_true", dest="is_watching", help="stay, and show what changes until Ctrl-C"
    )
    _add_settings(status, STATUS_SETTINGS)
    status.set_defaults(command=_status, parser=status)


def _add_switch(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, *, program: str) -> None:
    is_suspending = name == "suspend"
    switch = commands.add_parser(
        name,
        help="stop jobs now, and keep what was fetched" if is_suspending else "let suspended jobs go on",
        usage=f"{program} {name} NAME... | --all [OPTION]...",
        description=helptext.SUSPEND if is_suspending else helptext.RESUME,
        allow_abbrev=False,
        epilog=helptext.SUSPEND_EPILOG if is_suspending else helptext.RESUME_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    switch.add_argument("names", nargs="*", metavar="NAME", help="jobs and lists; or job/NAME, list/NAME")
    switch.add_argument("--all", action="store_true", dest="is_all", help="every job and list of the namespace")
    _add_everywhere(switch, help_text="with --all: of all namespaces")
    switch.add_argument(
        "--dry-run", action="store_true", dest="is_trial", help="have the API server check it, and change nothing"
    )
    _add_settings(switch, STATUS_SETTINGS)
    switch.set_defaults(command=_switch, parser=switch, is_suspending=is_suspending)


def _add_check(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", *, program: str) -> None:
    check = commands.add_parser(
        "check",
        help="say beside whom Prewarm is in a cluster, and what to do",
        usage=f"{program} check [OPTION]...",
        description=helptext.CHECK,
        allow_abbrev=False,
        epilog=helptext.CHECK_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    check.add_argument("-o", "--output", choices=CHECK_OUTPUTS, help="a document for programs")
    _add_settings(check, CHECK_SETTINGS)
    check.set_defaults(command=_check, parser=check)


def _add_clean(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    clean = commands.add_parser(
        "clean",
        help="take off this machine's runtime what Prewarm keeps there",
        usage="prewarm clean [OPTION]...",
        description=helptext.CLEAN,
        allow_abbrev=False,
        epilog=helptext.CLEAN_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    clean.add_argument("--dry-run", action="store_true", dest="is_trial", help="say what there is, and change nothing")
    _add_settings(clean, CLEAN_SETTINGS)
    clean.set_defaults(command=_clean, parser=clean)


def _add_everywhere(parser: argparse.ArgumentParser, *, help_text: str) -> None:
    parser.add_argument("-A", "--all-namespaces", action="store_true", dest="is_everywhere", help=help_text)


def _run(options: argparse.Namespace) -> int:
    from daemon.standalone import run

    if not options.sources and not options.images:
        options.parser.error("nothing to pull: give manifests (FILE) or --image")
    return run(run_settings(vars(options), environment=os.environ))


def _agent(options: argparse.Namespace) -> int:
    from daemon.agent.command import agent

    return agent(agent_settings(vars(options), environment=os.environ))


def _coordinator(options: argparse.Namespace) -> int:
    from daemon.coordinator.command import coordinator

    return coordinator(coordinator_settings(vars(options), environment=os.environ))


def _status(options: argparse.Namespace) -> int:
    settings = status_settings(vars(options), environment=os.environ)
    from daemon.overview.command import status

    return status(settings, environment=os.environ)


def _switch(options: argparse.Namespace) -> int:
    settings = switch_settings(vars(options), is_suspending=options.is_suspending, environment=os.environ)
    from daemon.overview.switch import switch

    return switch(settings, environment=os.environ)


def _check(options: argparse.Namespace) -> int:
    settings = check_settings(vars(options), environment=os.environ)
    from daemon.checkup.command import check

    return check(settings, environment=os.environ)


def _clean(options: argparse.Namespace) -> int:
    settings = clean_settings(vars(options), environment=os.environ)
    from daemon.cleaning import clean

    return clean(settings)


def _validate(options: argparse.Namespace) -> int:
    from daemon.validate import validate

    return validate(options.sources, stdin=sys.stdin.buffer, out=sys.stdout, err=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
