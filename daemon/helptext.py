"""What `--help` says of each command beside its options: what it does, examples, exit codes. Texts alone."""

DESCRIPTION = "Puts container images on Kubernetes nodes before Pods need them."

EPILOG = "`prewarm COMMAND --help` says what a command does, with examples."

RUN = """\
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

RUN_EPILOG = """\
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

AGENT = """\
Serve one node of a cluster: bring what its NodeImage wants to this machine,
through its container runtime, and write into the NodeImage's status how far
that is. A DaemonSet runs one on each node.

It reads its own NodeImage and, by name, the copies of pull secrets that this
names; it writes that NodeImage's status, and events on it.

With --with-coordinator it is a coordinator too, for clusters where a single
DaemonSet is wanted: `prewarm coordinator --help` says what that does.
"""

AGENT_EPILOG = """\
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

COORDINATOR = """\
Turn ImagePullJobs into what each node's NodeImage asks for, as many nodes at a
time as a job's parallelism says, and write into the jobs' status how far they
are. An ImageListPullJob gets a job for each of its images. A Deployment runs
two; one leads, by a Lease, and the other stands by.

It reads jobs, lists, NodeImages and Nodes, Pods while a job has a podSelector,
and the Secrets that jobs name. It writes NodeImages, the status of jobs and
lists, the jobs of lists, copies of pull secrets, events, its Lease, and takes
one startup taint off Nodes.

It needs no OpenKruise. Where OpenKruise's manager serves the jobs it stands
aside, and says so: `prewarm check` tells what to do.
"""

COORDINATOR_EPILOG = """\
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

STATUS = """\
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

STATUS_EPILOG = """\
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

SUSPEND = """\
Stop jobs now: what they pull is cancelled, what was fetched is kept, and
nothing more is granted until `prewarm resume`. It sets spec.prewarm.suspend.

NAME is a job or a list; a list's jobs follow it. A job that has finished is
left alone.
"""

SUSPEND_EPILOG = """\
examples:
  prewarm suspend --all -A
  prewarm suspend base-image-job list/nightly -n team-a
  prewarm suspend --all --dry-run

exit codes:
  0  all are suspended
  1  one is not: not found, not allowed, or the CRDs have no spec.prewarm
  2  bad input: an option, a kubeconfig or a context
"""

RESUME = """\
Let suspended jobs go on, each pull from what was fetched. It sets
spec.prewarm.suspend to false.

NAME is a job or a list; a list's jobs follow it.
"""

RESUME_EPILOG = """\
examples:
  prewarm resume --all -A
  prewarm resume base-image-job -n team-a

exit codes:
  0  none is suspended
  1  one still is: not found, or not allowed
  2  bad input: an option, a kubeconfig or a context
"""

CHECK = """\
Say beside whom Prewarm is in a cluster, and what to do: whether OpenKruise's
manager leads and whether it takes jobs, whether webhooks were left behind,
which nodes run which daemon, whose kinds the API server serves.

It writes nothing: what becomes of a job is asked by a dry run. Who leads shows
by a Lease's renewal, so where one is stale it takes as long as that promises,
15 s as a rule.
"""

CHECK_EPILOG = """\
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

CLEAN = """\
Take off this machine's container runtime what Prewarm keeps there: the leases
that hold partial downloads. Images stay, and so does whatever they need.

For a node that Prewarm leaves. Take its DaemonSet off first: an agent that is
alive makes its leases again. One that is seen among the processes is named; in
a container only its own are seen. A pull whose lease goes begins anew.

Only containerd has leases; elsewhere there is nothing to do. Left alone, they
end by themselves within a day.
"""

CLEAN_EPILOG = """\
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

VALIDATE = """\
Check manifests without touching anything: every error of every manifest,
worded as kubectl words them.

FILE is a manifest, a folder of manifests, or - for standard input. Unknown
fields are warnings.
"""

VALIDATE_EPILOG = """\
examples:
  prewarm validate jobs/
  kubectl get imagepulljobs -A -o yaml | prewarm validate -

exit codes:
  0  everything is sound; there may be warnings
  2  something is not, or there is nothing to check
"""
