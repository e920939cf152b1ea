"""
OpenKruise's webhooks of the image kinds on the wire: two configurations in an API server, and who answers for them.

The answers are over HTTPS with a CA of its own, as OpenKruise's are. `leave` ends the server and lets the
configurations stand, which is what an OpenKruise leaves behind that was taken away carelessly. What they decide is
webhook_rules.py's.
"""

import base64
import contextlib
import json
import ssl
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Self

import trustme

from tests.servers.apiserver import ApiServer
from tests.servers.apiserver_access import ApiFailed
from tests.servers.apiserver_existing import NotOurs
from tests.servers.openkruise.webhook_rules import Gates, defaulted, refusal
from tests.servers.processes import until


Json = dict[str, Any]

KINDS: Final = ("imagepulljob", "imagelistpulljob", "nodeimage")
_BASE: Final = "/apis/admissionregistration.k8s.io/v1"
# Kind, path of the collection, name of the configuration, and what its webhooks' names and paths begin with.
_CONFIGURATIONS: Final = (
    ("Mutating", "mutatingwebhookconfigurations", "kruise-mutating-webhook-configuration", "mutate"),
    ("Validating", "validatingwebhookconfigurations", "kruise-validating-webhook-configuration", "validate"),
)
_ACTIONS: Final = frozenset(f"/{action}-apps-kruise-io-{kind}" for *_, action in _CONFIGURATIONS for kind in KINDS)


class Webhooks:
    """
    The webhooks on one API server, in force while they are entered.

    Args:
        apiserver: which, on the same machine.
        versions: of the kinds, as the release serves them.
        gates: which the manager has; may be changed at any time.
    """

    def __init__(self, apiserver: ApiServer, *, versions: tuple[str, ...], gates: Gates) -> None:
        self.gates = gates
        self.asked: list[str] = []
        self._apiserver = apiserver
        self._versions = versions
        self._authority = trustme.CA()
        self._server: ThreadingHTTPServer | None = None
        self._port = 0

    def __enter__(self) -> Self:
        if not self._apiserver.ca_file.with_name("server.key").exists():
            raise NotOurs("this test's webhooks answer on its own machine, where the API server is not")
        self.answer()
        for kind, collection, name, action in _CONFIGURATIONS:
            body = self._configuration(kind, name=name, action=action, port=self._port)
            self._apiserver.request("POST", f"{_BASE}/{collection}", body)
        until(self._are_asked, what="the webhooks are asked", timeout_seconds=30)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()
        for _, collection, name, _ in _CONFIGURATIONS:
            with contextlib.suppress(ApiFailed):
                self._apiserver.request("DELETE", f"{_BASE}/{collection}/{name}")
        until(lambda: not self._is_refused(), what="no webhook is asked", timeout_seconds=30)

    def answer(self) -> None:
        """Answer, after `leave` on the same port again."""
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), partial(_Review, self))
        self._port = self._server.server_address[1]
        self._server.socket = self._tls().wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), name="webhooks", daemon=True).start()

    def leave(self) -> None:
        """Answer no more, and leave the configurations. Twice is fine."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    def review(self, request: Json) -> Json:
        """Answer one question of the API server."""
        found, before = request["object"], request.get("oldObject")
        self.asked.append(f"{request['operation']} {found['kind']}")
        no = refusal(found, before=before, gates=self.gates)
        if no is not None:
            return {"uid": request["uid"], "allowed": False, "status": {"code": no.code, "message": no.words}}
        return {"uid": request["uid"], "allowed": True}

    def mutation(self, request: Json) -> Json:
        """Answer one question of the API server with what changes, whatever the gates are."""
        found = request["object"]
        changed = defaulted(found, operation=request["operation"])
        parts = [part for part in ("metadata", "spec") if changed.get(part) != found.get(part)]
        patch = json.dumps([{"op": "add", "path": f"/{part}", "value": changed[part]} for part in parts])
        encoded = base64.b64encode(patch.encode()).decode()
        answer = {"uid": request["uid"], "allowed": True}
        return {**answer, "patchType": "JSONPatch", "patch": encoded} if parts else answer

    def _configuration(self, kind: str, *, name: str, action: str, port: int) -> Json:
        bundle = base64.b64encode(self._authority.cert_pem.bytes()).decode()
        hooks = [
            {
                "name": f"{action[0]}{one}.kb.io",
                "admissionReviewVersions": ["v1", "v1beta1"],
                "sideEffects": "None",
                "failurePolicy": "Fail",
                "clientConfig": {"url": f"https://127.0.0.1:{port}/{action}-apps-kruise-io-{one}", "caBundle": bundle},
                "rules": [
                    {
                        "apiGroups": ["apps.kruise.io"],
                        "apiVersions": list(self._versions),
                        "operations": ["CREATE", "UPDATE"],
                        "resources": [f"{one}s"],
                    }
                ],
            }
            for one in KINDS
        ]
        base = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": f"{kind}WebhookConfiguration"}
        return {**base, "metadata": {"name": name}, "webhooks": hooks}

    def _tls(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert("127.0.0.1").configure_cert(context)
        return context

    def _are_asked(self) -> bool:
        """Tell whether the API server asks both: it learns of configurations a moment after they are there."""
        tried = self._tried()
        is_defaulted = "pullPolicy" in tried.get("spec", {}) or "message" in tried
        return is_defaulted and "CREATE ImagePullJob" in self.asked

    def _is_refused(self) -> bool:
        return "message" in self._tried() or "pullPolicy" in self._tried()["spec"]

    def _tried(self) -> Json:
        """Return what becomes of a job in a dry run, or the words of its refusal."""
        version = self._versions[-1]
        job = {
            "apiVersion": f"apps.kruise.io/{version}",
            "kind": "ImagePullJob",
            "metadata": {"generateName": "tried-"},
            "spec": {"image": "tried.test/a", "completionPolicy": {"type": "Always"}},
        }
        try:
            path = f"/apis/apps.kruise.io/{version}/namespaces/default/imagepulljobs?dryRun=All"
            return self._apiserver.request("POST", path, job)
        except ApiFailed as error:
            return {"message": error.text}


class _Review(BaseHTTPRequestHandler):
    """One connection of the API server, for one question: none outlives the server."""

    def __init__(self, webhooks: Webhooks, *arguments: Any) -> None:  # noqa: ANN401 - the base's own
        self._webhooks = webhooks
        super().__init__(*arguments)

    def do_POST(self) -> None:
        """Answer an AdmissionReview."""
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        path = self.path.partition("?")[0]
        assert path in _ACTIONS, path
        answer = self._webhooks.mutation if path.startswith("/mutate") else self._webhooks.review
        body = json.dumps({**review, "request": None, "response": answer(review["request"])}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""
