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

_STATUS = """\
Show how far a cluster's jobs are: which nodes are cold or stale and why, who
pulls now and how far, when it ends, what was skipped.

Without a name: each ImagePullJob and ImageListPullJob of the namespace. With
the name of a job: its nodes, and why each that is not warm is not. With the
name of a list: its images. With the name of a node: its images, its agent, and
why jobs leave it out. Where a job has a node's name, say node/NAME.

  prewarm status nodes    all nodes: which agent runs where, which node is not
                          warm, and why
  prewarm status images   all images: which registry fails, and what they take
                          on the nodes' disks
"""

_STATUS_EPILOG = """\
examples:
  prewarm status -A
  prewarm status base-image-job -n team-a --watch
  prewarm status node/worker-1
  prewarm status nodes
  prewarm status -A -o json | jq '.jobs[] | select(.nodes.cold > 0) | .name'
  kubectl prewarm status base-image-job -o wide

exit codes:
  0    shown; also where there is no job
  1    not found, or the API server does not answer or let you
  2    bad input: an option, a kubeconfig or a context
  130  --watch was interrupted

An account needs get and list, and watch for --watch, of imagepulljobs,
imagelistpulljobs, nodeimages and nodes: docs/status.md has a ClusterRole.
"""

_SUSPEND = """\
Stop jobs now: what they pull is cancelled, what was fetched is kept, and
nothing more is granted until `prewarm resume`. It sets spec.prewarm.suspend.

NAME is a job or a list; a list's jobs follow it. A job that has finished is
left alone.
"""

_SUSPEND_EPILOG = """\
examples:
  prewarm suspend --all -A
  prewarm suspend base-image-job list/nightly -n team-a
  prewarm suspend --all --dry-run

exit codes:
  0  all are suspended
  1  one is not: not found, not allowed, or the CRDs have no spec.prewarm
  2  bad input: an option, a kubeconfig or a context
"""

_RESUME = """\
Let suspended jobs go on, each pull from what was fetched. It sets
spec.prewarm.suspend to false.

NAME is a job or a list; a list's jobs follow it.
"""

_RESUME_EPILOG = """\
examples:
  prewarm resume --all -A
  prewarm resume base-image-job -n team-a

exit codes:
  0  none is suspended
  1  one still is: not found, or not allowed
  2  bad input: an option, a kubeconfig or a context
"""

_CHECK = """\
Say beside whom Prewarm is in a cluster, and what to do: whether OpenKruise's
manager leads and whether it takes jobs, whether webhooks were left behind,
which nodes run which daemon, whose kinds the API server serves.

It writes nothing: what becomes of a job is asked by a dry run. Who leads shows
by a Lease's renewal, so where one is stale it takes as long as that promises,
15 s as a rule.
"""

_CHECK_EPILOG = """\
examples:
  prewarm check
  prewarm check -o json | jq -r .row
  kubectl prewarm check --context staging

exit codes:
  0  nothing to do
  1  something to do, or not enough rights to tell
  2  bad input: an option, a kubeconfig or a context
  3  the API server does not answer, or does not know you

docs/check.md says what is told, and has a ClusterRole.
"""

_CLEAN = """\
Take off this machine's container runtime what Prewarm keeps there: the leases
that hold partial downloads. Images stay, and so does whatever they need.

For a node that Prewarm leaves. Take its DaemonSet off first: an agent that is
alive makes its leases again. One that is seen among the processes is named; in
a container only its own are seen. A pull whose lease goes begins anew.

Only containerd has leases; elsewhere there is nothing to do. Left alone, they
end by themselves within a day.
"""

_CLEAN_EPILOG = """\
examples:
  prewarm clean --dry-run
  prewarm clean
  prewarm clean --runtime-endpoint /run/k3s/containerd/containerd.sock

exit codes:
  0  nothing of Prewarm's is left; with --dry-run: it was told what there is
  1  a lease could not be removed
  2  bad input: an option or a variable
  3  no container runtime reachable

It needs the rights to use the runtime's socket, which usually means root.
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
    parser = argparse.ArgumentParser(prog=program, description=_DESCRIPTION, epilog=_EPILOG)
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
            flags = [f"-{setting.letter}", setting.flag] if setting.letter else [setting.flag]
            parser.add_argument(*flags, dest=setting.field, metavar=setting.metavar, help=setting.help)
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


def _add_status(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", *, program: str) -> None:
    status = commands.add_parser(
        "status",
        help="show how far jobs and nodes of a cluster are, and why",
        usage=f"{program} status [NAME | KIND NAME | nodes | images] [OPTION]...",
        description=_STATUS,
        allow_abbrev=False,
        epilog=_STATUS_EPILOG,
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
        description=_SUSPEND if is_suspending else _RESUME,
        allow_abbrev=False,
        epilog=_SUSPEND_EPILOG if is_suspending else _RESUME_EPILOG,
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
        description=_CHECK,
        allow_abbrev=False,
        epilog=_CHECK_EPILOG,
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
        description=_CLEAN,
        allow_abbrev=False,
        epilog=_CLEAN_EPILOG,
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
