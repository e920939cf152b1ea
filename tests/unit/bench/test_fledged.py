"""The Job that a list is compared with is kube-fledged's."""

from bench.fledged import pull_job


def made() -> dict[str, object]:
    """Make one."""
    return pull_job("r/app:v1", node="n", name="j", cache="c", tools="r/tools:1")


def test_a_job_runs_the_image_on_its_node_and_pulls_only_what_is_absent() -> None:
    """By its hostname label, on whatever taints, once."""
    spec = made()["spec"]
    assert isinstance(spec, dict)
    pod = spec["template"]["spec"]

    assert {"kubernetes.io/hostname": "n"} == pod["nodeSelector"]
    assert [{"operator": "Exists"}] == pod["tolerations"]
    assert [("r/app:v1", "IfNotPresent")] == [(one["image"], one["imagePullPolicy"]) for one in pod["containers"]]
    assert (0, "Never") == (spec["backoffLimit"], pod["restartPolicy"])


def test_the_image_needs_no_program() -> None:
    """What it runs is put there by an init container, into a folder that both see."""
    spec = made()["spec"]
    assert isinstance(spec, dict)
    pod = spec["template"]["spec"]
    first, then = pod["initContainers"][0], pod["containers"][0]

    assert first["volumeMounts"] == then["volumeMounts"]
    assert then["command"][0].startswith(first["volumeMounts"][0]["mountPath"])
