import pytest

from daemon.images import ImageReference, InvalidReference, join, parse_reference, same_image


SHA256 = "sha256:" + "a1" * 32
SHA512 = "sha512:" + "0f" * 64


@pytest.mark.parametrize(
    ("text", "repository", "full"),
    [
        ("nginx", "nginx", "docker.io/library/nginx:latest"),
        ("nginx:1.9", "nginx", "docker.io/library/nginx:1.9"),
        ("library/nginx", "nginx", "docker.io/library/nginx:latest"),
        ("docker.io/nginx", "nginx", "docker.io/library/nginx:latest"),
        ("docker.io/library/nginx", "nginx", "docker.io/library/nginx:latest"),
        ("index.docker.io/nginx", "nginx", "docker.io/library/nginx:latest"),
        ("index.docker.io/team/app:1", "team/app", "docker.io/team/app:1"),
        ("team/app", "team/app", "docker.io/team/app:latest"),
        ("library/team/app", "library/team/app", "docker.io/library/team/app:latest"),
        ("localhost", "localhost", "docker.io/library/localhost:latest"),
        ("localhost:5000", "localhost", "docker.io/library/localhost:5000"),
        ("localhost/app", "localhost/app", "localhost/app:latest"),
        ("localhost:5000/app:1", "localhost:5000/app", "localhost:5000/app:1"),
        ("registry:5000/team/app", "registry:5000/team/app", "registry:5000/team/app:latest"),
        ("quay.io/app", "quay.io/app", "quay.io/app:latest"),
        ("10.0.0.1/app:1", "10.0.0.1/app", "10.0.0.1/app:1"),
        ("[::1]:5000/app:1", "[::1]:5000/app", "[::1]:5000/app:1"),
        ("[fd00:1:2::3]/team/app", "[fd00:1:2::3]/team/app", "[fd00:1:2::3]/team/app:latest"),
        ("Registry/app", "Registry/app", "Registry/app:latest"),
        ("xn--7o8h.example/app", "xn--7o8h.example/app", "xn--7o8h.example/app:latest"),
        ("a--b/c__d.e_f", "a--b/c__d.e_f", "docker.io/a--b/c__d.e_f:latest"),
        ("nginx:_a.B-9", "nginx", "docker.io/library/nginx:_a.B-9"),
        ("nginx:" + "t" * 128, "nginx", "docker.io/library/nginx:" + "t" * 128),
        (f"nginx@{SHA256}", "nginx", f"docker.io/library/nginx@{SHA256}"),
        (f"quay.io/app@{SHA512}", "quay.io/app", f"quay.io/app@{SHA512}"),
        (f"nginx:1.9@{SHA256}", "nginx", f"docker.io/library/nginx@{SHA256}"),
        (f"registry:5000/app:1@{SHA256}", "registry:5000/app", f"registry:5000/app@{SHA256}"),
        ("x" * 247, "x" * 247, "docker.io/library/" + "x" * 247 + ":latest"),
        ("registry.example/" + "x" * 255, "registry.example/" + "x" * 255, "registry.example/" + "x" * 255 + ":latest"),
        ("a" * 64 + ":1", "library/" + "a" * 64, "docker.io/library/" + "a" * 64 + ":1"),
        ("docker.io/localhost/app", "docker.io/localhost/app", "docker.io/localhost/app:latest"),
        ("docker.io/a.b/app", "docker.io/a.b/app", "docker.io/a.b/app:latest"),
    ],
)
def test_reference_is_normalised_by_the_rules_of_docker_io(text: str, repository: str, full: str) -> None:
    """Each way to write an image gives the familiar repository key and the full form that a runtime takes."""
    reference = parse_reference(text)

    assert (repository, full) == (reference.repository, reference.full)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "image reference is empty"),
        (" ", 'repository name " " must not contain " "'),
        ("nginx ", 'must not contain " "'),
        ("nginx\n", 'must not contain "\\n"'),
        ("a b", 'must not contain " "'),
        ("Nginx", 'repository name "Nginx" must be lowercase'),
        ("team/App", 'repository name "team/App" must be lowercase'),
        ("quay.io/Team/app", 'repository name "Team/app" must be lowercase'),
        ("quay.io/", "repository name is empty"),
        (":1", "repository name is empty"),
        (f"@{SHA256}", "repository name is empty"),
        ("/app", "has a slash at its start or end, or two in a row"),
        ("team/", "has a slash at its start or end, or two in a row"),
        ("team//app", "has a slash at its start or end, or two in a row"),
        ("-nginx", '"-nginx" must begin and end with a letter or digit'),
        ("team/app-", '"app-" must begin and end with a letter or digit'),
        ("a..b", '"a..b" must begin and end with a letter or digit'),
        ("a___b", '"a___b" must begin and end with a letter or digit'),
        ("naïve", 'must not contain "\\u00ef"'),
        ("nginx:", "tag is empty"),
        ("nginx:-1", 'tag "-1" must have at most 128'),
        ("nginx:.1", 'tag ".1" must have at most 128'),
        ("nginx:a b", 'tag "a b" must have at most 128'),
        ("nginx:é", 'tag "\\u00e9" must have at most 128'),
        ("nginx:" + "t" * 129, "must have at most 128"),
        ("nginx:1:2", 'tag "1:2" must have at most 128'),
        ("nginx:1\n", 'tag "1\\n" must have at most 128'),
        ("nginx@", 'digest "" must be an algorithm, a colon and hexadecimal digits'),
        ("nginx@sha256", 'digest "sha256" must be an algorithm'),
        ("nginx@sha256:abc", "must have 64 lowercase hexadecimal digits after sha256:"),
        ("nginx@" + SHA256.upper(), "unknown algorithm"),
        ("nginx@sha256:" + "A1" * 32, "must have 64 lowercase hexadecimal digits"),
        ("nginx@sha512:" + "a1" * 32, "must have 128 lowercase hexadecimal digits"),
        ("nginx@md5:" + "a1" * 16, "unknown algorithm; known are sha256, sha384, sha512"),
        (f"nginx@{SHA256}@{SHA256}", "must have 64 lowercase hexadecimal digits"),
        ("registry:port/app", 'registry "registry:port" is not a host name'),
        ("-registry.example/app", 'registry "-registry.example" is not a host name'),
        ("registry..example/app", 'registry "registry..example" is not a host name'),
        ("0.0_0/app", 'registry "0.0_0" is not a host name'),
        ("[::1/app", 'registry "[::1" is not a host name'),
        ("[fe80::1%eth0]/app", "is not a host name"),
        ("::1/app", 'registry "::1" is not a host name'),
        ("https://quay.io/app", 'must not begin with a scheme such as "https://"'),
        ("a1" * 32, "is an image ID"),
        ("registry.example/" + "x" * 256, "has 256 characters, at most 255 may be"),
    ],
)
def test_bad_reference_is_refused_in_words_that_name_the_part(text: str, words: str) -> None:
    """What a runtime would refuse is an InvalidReference whose message says which part is wrong."""
    with pytest.raises(InvalidReference) as caught:
        parse_reference(text)

    assert words in str(caught.value)


def test_refusal_never_repeats_a_pasted_password() -> None:
    """A URL with a password in it is refused without being quoted."""
    with pytest.raises(InvalidReference) as caught:
        parse_reference("https://user:hunter2@quay.io/app")

    assert "hunter2" not in str(caught.value)


def test_refusal_of_a_long_reference_stays_short() -> None:
    """However long the input, the message fits a status."""
    with pytest.raises(InvalidReference) as caught:
        parse_reference("quay.io/" + "X" * 1_000_000)

    assert len(str(caught.value)) < 300


def test_tag_beside_a_digest_is_remembered() -> None:
    """name:tag@digest is pulled by digest, and its tag can still be shown."""
    reference = parse_reference(f"nginx:1.9@{SHA256}")

    expected = ImageReference(domain="docker.io", path="library/nginx", tag="1.9", digest=SHA256)
    assert expected == reference
    assert reference.tag_or_digest == SHA256


@pytest.mark.parametrize(
    ("repository", "tag_or_digest", "full"),
    [
        ("nginx", "1.9", "docker.io/library/nginx:1.9"),
        ("docker.io/library/nginx", "1.9", "docker.io/library/nginx:1.9"),
        ("team/app", SHA256, f"docker.io/team/app@{SHA256}"),
        ("registry:5000/app", "1", "registry:5000/app:1"),
        ("[::1]:5000/app", SHA512, f"[::1]:5000/app@{SHA512}"),
    ],
)
def test_entry_of_a_node_image_joins_to_its_reference(repository: str, tag_or_digest: str, full: str) -> None:
    """Both forms of the key join with a tag by a colon and with a digest by an at sign."""
    assert full == join(repository, tag_or_digest).full


@pytest.mark.parametrize(
    ("repository", "tag_or_digest"),
    [
        ("nginx:1.9", "1.9"),
        (f"nginx@{SHA256}", "1.9"),
        ("registry:5000", "1"),
        ("nginx", ""),
        ("nginx", "sha256:abc"),
        ("nginx", "1 2"),
        ("", "1"),
        ("Nginx", "1"),
    ],
)
def test_entry_that_names_no_image_is_refused(repository: str, tag_or_digest: str) -> None:
    """A key with a tag of its own, or something that is neither tag nor digest, is an InvalidReference."""
    with pytest.raises(InvalidReference):
        join(repository, tag_or_digest)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nginx:1.9", True),
        ("docker.io/library/nginx:1.9", True),
        ("nginx", False),
        ("nginx:1.8", False),
        ("quay.io/nginx:1.9", False),
        (f"nginx@{SHA256}", True),
        (f"nginx:other@{SHA256}", True),
        (f"quay.io/nginx@{SHA256}", False),
        ("nginx@sha256:" + "b" * 64, False),
    ],
)
def test_image_of_a_runtime_is_recognised_by_its_names(text: str, *, expected: bool) -> None:
    """A tag is found among RepoTags, a digest among RepoDigests of the same repository; "<none>" disturbs neither."""
    found = same_image(
        parse_reference(text),
        repo_tags=("<none>:<none>", "docker.io/library/nginx:1.9"),
        repo_digests=("<none>@<none>", f"docker.io/library/nginx@{SHA256}"),
    )

    assert expected is found


def test_equal_images_are_equal_values() -> None:
    """Two ways to write one image give one value, fit for a set."""
    assert {ImageReference(domain="docker.io", path="library/nginx", tag="latest")} == {
        parse_reference("nginx"),
        parse_reference("index.docker.io/library/nginx:latest"),
    }
