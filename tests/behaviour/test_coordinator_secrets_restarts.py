"""Copies of pull secrets over the end of a coordinator, and OpenKruise's: right, and none too many."""

import base64

from tests.servers.apiserver import ApiServer
from tests.servers.deployment import SECRETS
from tests.servers.fixtures_apiserver import Names
from tests.servers.fixtures_coordinator import Jobs, Nodes, StartCoordinator
from tests.servers.jobs import job, totals
from tests.servers.objects import Json
from tests.servers.scripted_agents import Fails, ScriptedAgents, Succeeds
from tests.servers.secrets import FIELD, MODE, REFERENCES, SOURCE_KEY, Copies, SecretOnServer


REPOSITORY = "registry.test/app"
OTHER = "registry.test/other"


def test_what_happened_while_there_was_no_coordinator_is_made_up_for(
    deployed: ApiServer,
    start_coordinator: StartCoordinator,
    nodes: Nodes,
    agents: ScriptedAgents,
    jobs: Jobs,
    namespace: str,
) -> None:
    """
    A job that came has its copy; the last user's copy is gone; a rotated secret's copy follows, and what failed by it
    runs again; what has not changed is not written.
    """
    (node,) = nodes()
    agent = agents.serve(node.name, of_images={f"{OTHER}:v1": Fails("Unauthorized")})
    copies = Copies(deployed)
    names = ("going", "coming", "rotated", "same")
    sources = {name: SecretOnServer(deployed, namespace, name) for name in names}
    for source in sources.values():
        source.put("first")
    leader = start_coordinator()
    leader.until_leading()
    nodes.until_seen()
    made = {
        name: jobs(
            job(image, kind=kind, selector=nodes.selector, pullSecrets=[name]),
            name=f"uses-{name}",
        )
        for name, image, kind in (
            ("going", f"{REPOSITORY}:going", "Always"),
            ("rotated", f"{OTHER}:v1", "Never"),
            ("same", f"{REPOSITORY}:same", "Never"),
        )
    }
    made["going"].ended()
    made["rotated"].until(lambda status: totals(status) == (1, 0, 0, 1), what="has failed")
    made["same"].until_ready(nodes=1)
    same = copies.one(sources["same"], f"{namespace}/uses-same")

    leader.kill()
    made["going"].delete()
    agent.says(Succeeds(), image=f"{OTHER}:v1")
    sources["rotated"].put("second")
    spec = job(f"{REPOSITORY}:coming", kind="Never", selector=nodes.selector, pullSecrets=["coming"])
    made["coming"] = jobs(spec, name="uses-coming")
    leader.start()
    leader.until_leading()
    made["coming"].until_ready(nodes=1)
    made["rotated"].until_ready(nodes=1)
    copies.until_none(sources["going"])
    rotated = copies.one(sources["rotated"], f"{namespace}/uses-rotated")
    coming = copies.one(sources["coming"], f"{namespace}/uses-coming")

    assert sources["rotated"].read()["data"] == rotated["data"]
    assert sources["coming"].read()["data"] == coming["data"]
    assert same == copies.one(sources["same"], f"{namespace}/uses-same")


def test_openkruise_s_copies_are_taken_over_as_they_are(
    deployed: ApiServer,
    start_coordinator: StartCoordinator,
    nodes: Nodes,
    agents: ScriptedAgents,
    jobs: Jobs,
    namespace: str,
    names: Names,
) -> None:
    """Of a source in use no second copy is made, and it goes with its last user; one that nobody needs goes at once."""
    (node,) = nodes()
    agents.serve(node.name)
    source, copies = SecretOnServer(deployed, namespace, "regcred"), Copies(deployed)
    abandoned = SecretOnServer(deployed, names("gone"), "regcred")
    source.put("shared")
    theirs = SecretOnServer(deployed, SECRETS, names("regcred"))
    before = theirs.put("shared", annotations=_openkruise_s(source, f"{namespace}/their-job"), labels={"app": "x"})
    SecretOnServer(deployed, SECRETS, names("left")).put("left", annotations=_openkruise_s(abandoned, "gone/job"))

    made = jobs(job(f"{REPOSITORY}:v1", kind="Never", selector=nodes.selector, pullSecrets=[source.name]))
    start_coordinator()
    made.until_ready(nodes=1)
    copy = copies.one(source, f"{namespace}/{made.name}")
    named = nodes.image(node).read()["spec"]["images"][REPOSITORY]["pullSecrets"]
    copies.until_none(abandoned)
    made.delete()
    copies.until_none(source)

    metadata = before["metadata"]
    assert (metadata["uid"], metadata["labels"]) == (copy["metadata"]["uid"], copy["metadata"]["labels"])
    assert [theirs.name] == [secret["name"] for secret in named]
    assert "someone's" == copy["metadata"]["annotations"]["further"]


def _openkruise_s(source: SecretOnServer, reference: str) -> Json:
    """Return the annotations of OpenKruise's copy of a source."""
    return {SOURCE_KEY: source.key, REFERENCES: reference, MODE: "batch", "further": "someone's"}


def test_a_password_is_seen_nowhere(
    deployed: ApiServer,
    start_coordinator: StartCoordinator,
    nodes: Nodes,
    agents: ScriptedAgents,
    jobs: Jobs,
    namespace: str,
) -> None:
    """Not in log, status, events, metrics or /state, plain or encoded, whatever goes wrong with it."""
    (node,) = nodes()
    agents.serve(node.name, Fails("Unauthorized"))
    passwords = {name: f"s3cr3t-of-{name}" for name in ("good", "opaque", "broken")}
    sources = {name: SecretOnServer(deployed, namespace, name) for name in passwords}
    sources["good"].put(passwords["good"])
    sources["opaque"].put(passwords["opaque"], kind="Opaque")
    broken = base64.b64encode(f'{{"auths": ["{passwords["broken"]}"]}}'.encode()).decode()
    sources["broken"].put(data={FIELD: broken})
    leader = start_coordinator()
    leader.until_leading()
    nodes.until_seen()

    spec = job(f"{REPOSITORY}:v1", kind="Never", selector=nodes.selector, pullSecrets=list(passwords))
    made = jobs(spec)
    made.until(lambda status: totals(status) == (1, 0, 0, 1) and "secret" in status["message"], what="tells of it")
    made.until_event(lambda found: found["reason"] == "Stalled")
    made.delete()
    Copies(deployed).until_none(sources["good"])

    told = [str(leader.lines()), leader.get("/metrics")[1], leader.get("/state")[1], str(made.events())]
    kinds = ("nodeimages", "imagepulljobs")
    told += [str(deployed.request("GET", f"/apis/apps.kruise.io/v1beta1/{kind}")) for kind in kinds]
    encoded = [base64.b64encode(password.encode()).decode()[:12] for password in passwords.values()]
    contents = [next(iter(source.read()["data"].values())) for source in sources.values()]
    assert [] == [form for form in (*passwords.values(), *encoded, *contents) if any(form in text for text in told)]
    assert {"good", "broken"} == {line["source"].partition("/")[2] for line in leader.told("secret_copied")}
