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

from daemon import __version__
from daemon.config import (
    AGENT_SETTINGS,
    COORDINATOR_SETTINGS,
    LEADING_SETTINGS,
    RUN_SETTINGS,
    InvalidSetting,
    Setting,
    agent_settings,
    coordinator_settings,
    run_settings,
)
from daemon.display.output import OutputLost


BAD_INPUT = 2
OUTPUT_LOST = 74

_DESCRIPTION = "Puts container images on Kubernetes nodes before Pods need them."

_EPILOG = "`prewarm COMMAND --help` says what a command does, with examples."

_RUN = """\
Bring the images of ImagePullJobs to this machine, through its container
runtime. No API server is needed.

FILE is a manifest (YAML or JSON, any number of documents), a folder (its
*.yaml, *.yml and *.json, not the folders in it), or - for standard input.
ImagePullJob and ImageListPullJob are read; a Secret beside them serves their
pullSecrets.

Each image is brought once and the command ends. With --watch it stays: an
image that is removed is pulled again, and jobs with completionPolicy Never are
renewed each 24 h, or as their spec.prewarm.refresh says.
"""

_RUN_EPILOG = """\
examples:
  prewarm run base-image-job.yaml
  prewarm run jobs/ registry-secret.yaml --node-labels pool=gpu,zone=a
  prewarm run --image nginx:1.29 --image registry.example.com/team/app@sha256:...
  prewarm run job.yaml | jq 'select(.event == "image_failed")'
  generate-jobs | prewarm run -
  prewarm run --watch /etc/prewarm --min-free 10Gi

exit codes:
  0    every image is there; with --watch also: ended by SIGTERM
  1    an image could not be brought
  2    bad input: a manifest, an option or a variable; nothing was pulled
  3    no container runtime reachable within --runtime-wait
  130  interrupted; the same run goes on from there

Each option with a value, except --image, can be a variable: --min-free as
PREWARM_MIN_FREE. An option beats its variable.
"""

_AGENT = """\
Serve one node of a cluster: bring what its NodeImage wants to this machine,
through its container runtime, and write into the NodeImage's status how far
that is. A DaemonSet runs one on each node.

It reads its own NodeImage and, by name, the copies of pull secrets that this
names; it writes that NodeImage's status, and events on it.

With --with-coordinator it is a coordinator too, for clusters where a single
DaemonSet is wanted: `prewarm coordinator --help` says what that does.
"""

_AGENT_EPILOG = """\
examples:
  prewarm agent --node-name "$NODE_NAME"
  prewarm agent --node-name worker-1 --kubeconfig ~/.kube/config

exit codes:
  0  ended by SIGTERM or SIGINT, with its last status written
  1  a part of it died of something unforeseen; its log says which
  2  bad input: an option, a variable, a file, or an address that is taken

A runtime or an API server that is away is no end: it waits, says so in
/readyz and in its log, and goes on.

Each option can be a variable: --min-free as PREWARM_MIN_FREE. An option beats
its variable.
"""

_COORDINATOR = """\
Turn ImagePullJobs into what each node's NodeImage asks for, as many nodes at a
time as a job's parallelism says, and write into the jobs' status how far they
are. A Deployment runs two; one leads, by a Lease, and the other stands by.

It reads jobs, NodeImages and Nodes, and Pods while a job has a podSelector. It
writes NodeImages, the jobs' status, events on jobs, its Lease, and takes one
startup taint off Nodes. It needs no OpenKruise, and must not run beside its
manager, which writes the same objects.
"""

_COORDINATOR_EPILOG = """\
examples:
  prewarm coordinator
  prewarm coordinator --kubeconfig ~/.kube/config --listen 127.0.0.1:8080
  prewarm coordinator --write-rate 20 --gate-deadline 300

exit codes:
  0  ended by SIGTERM or SIGINT, with the Lease released
  1  a part of it died of something unforeseen; its log says which
  2  bad input: an option, a variable, a file, or an address that is taken

An API server that is away, or a Lease that another holds, is no end: it waits,
says so in /readyz or /state and in its log, and goes on.

Each option can be a variable: --write-rate as PREWARM_WRITE_RATE. An option
beats its variable.
"""

_VALIDATE = """\
Check manifests without touching anything: every error of every manifest,
worded as kubectl words them.

FILE is a manifest, a folder of manifests, or - for standard input. Unknown
fields are warnings.
"""

_VALIDATE_EPILOG = """\
examples:
  prewarm validate jobs/
  kubectl get imagepulljobs -A -o yaml | prewarm validate -

exit codes:
  0  everything is sound; there may be warnings
  2  something is not, or there is nothing to check
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    _prepare_streams()
    options, unknown = _parser().parse_known_args(arguments)
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="prewarm", description=_DESCRIPTION, epilog=_EPILOG)
    parser.add_argument("--version", action="version", version=f"prewarm {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_run(commands)
    _add_agent(commands)
    _add_coordinator(commands)
    _add_validate(commands)
    return parser


def _add_run(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    run = commands.add_parser(
        "run",
        help="bring the images of manifests to this machine, without an API server",
        usage="prewarm run [OPTION]... [--image IMAGE]... [FILE]...",
        description=_RUN,
        allow_abbrev=False,
        epilog=_RUN_EPILOG,
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
        description=_AGENT,
        allow_abbrev=False,
        epilog=_AGENT_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_settings(agent, AGENT_SETTINGS)
    _add_settings(agent.add_argument_group("options that need --with-coordinator"), LEADING_SETTINGS)
    agent.set_defaults(command=_agent, parser=agent)


def _add_coordinator(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    coordinator = commands.add_parser(
        "coordinator",
        help="turn ImagePullJobs into what each node is asked for",
        usage="prewarm coordinator [OPTION]...",
        description=_COORDINATOR,
        allow_abbrev=False,
        epilog=_COORDINATOR_EPILOG,
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
            parser.add_argument(setting.flag, dest=setting.field, metavar=setting.metavar, help=setting.help)
        for alias in setting.aliases:
            parser.add_argument(alias, dest=setting.field, help=argparse.SUPPRESS)


def _add_validate(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    validate = commands.add_parser(
        "validate",
        help="check manifests without touching anything",
        description=_VALIDATE,
        allow_abbrev=False,
        epilog=_VALIDATE_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    validate.add_argument(
        "sources", nargs="+", metavar="FILE", help="manifests: files, folders, or - for standard input"
    )
    validate.set_defaults(command=_validate, parser=validate)


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


def _validate(options: argparse.Namespace) -> int:
    from daemon.validate import validate

    return validate(options.sources, stdin=sys.stdin.buffer, out=sys.stdout, err=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
