"""A real Kubernetes control plane: etcd, API server, controller manager, and pods that start.

The programs come from the folder that KUBEBUILDER_ASSETS names, by the convention of envtest. What
only a newer API server shows has its programs from the folder that NEWER names.
"""

import json
import os
import re
import secrets
import shutil
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.servers.api import UNREACHABLE, Api, ApiError
from tests.servers.kubelet import Kubelet
from tests.servers.process import Process, StartFailed, accepts, free_port, wait_until
from tests.servers.requirements import require

PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager")
ISSUER = "https://kubernetes.default.svc"
NEWER = "NEWER_KUBEBUILDER_ASSETS"


class ControlPlane:
    """Use as a context manager; `kubeconfig` is the cluster administrator's."""

    def __init__(self, programs: Path | None = None) -> None:
        self._assets = programs or assets()
        self._controllers_version = version_of(self._assets / "kube-controller-manager")
        self.folder = Path(tempfile.mkdtemp(prefix="control-plane-"))
        self.server = f"https://127.0.0.1:{free_port()}"
        self._token = secrets.token_hex(16)
        self._etcd_port = free_port()
        self._write_credentials()
        self.kubeconfig = self.kubeconfig_for("admin", self._token)
        self._etcd = self._etcd_process()
        self._api_server = self._api_server_process()
        self._controllers = self._controllers_process()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with self._stack:
            self._stack.callback(shutil.rmtree, self.folder)
            self._start()
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def _start(self) -> None:
        self._stack.callback(self._etcd.stop)
        self._etcd.start(lambda: accepts(self._etcd_port))
        self._stack.callback(self.stop_api)
        self.start_api()
        self.api = self.client(self._token)
        self._stack.callback(self.api.close)
        self._stack.callback(self._controllers.stop)
        self._controllers.start(lambda: self._accepts_pods("default"))
        self.kubelet = Kubelet(self.api)
        self._stack.callback(self.kubelet.stop)
        self.kubelet.start()

    def start_api(self) -> None:
        probe = self.client(self._token)
        try:
            self._api_server.start(probe.ready, timeout=60)
        finally:
            probe.close()

    def stop_api(self) -> None:
        """The API server is away, as in a failover; all data stays in etcd for `start_api`."""
        self._api_server.kill()

    def client(self, token: str) -> Api:
        return Api(self.server, token, self.folder / "apiserver.crt")

    def new_namespace(self, prefix: str = "test") -> str:
        name = f"{prefix}-{secrets.token_hex(4)}"
        self.api.post("/api/v1/namespaces", {"metadata": {"name": name}})
        if not wait_until(lambda: self._accepts_pods(name), 20):
            raise StartFailed(f"no service account in {name}\n{self._controllers.tail()}")
        return name

    def kubeconfig_for(self, user: str, token: str) -> Path:
        path = self.folder / f"{user.replace(':', '-')}.kubeconfig"
        cluster = {
            "server": self.server,
            "certificate-authority": str(self.folder / "apiserver.crt"),
        }
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": user, "user": {"token": token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": user}}],
            "current-context": "test",
        }
        path.touch(mode=0o600)
        path.write_text(json.dumps(config))
        return path

    def kubeconfig_for_service_account(self, namespace: str, name: str) -> Path:
        """Of a service account that is there already; its rights come from the test's bindings."""
        return self.kubeconfig_for(f"{namespace}:{name}", self.token_for(namespace, name))

    def token_for(self, namespace: str, name: str) -> str:
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        return str(self.api.post(path, body)["status"]["token"])

    def _accepts_pods(self, namespace: str) -> bool:
        try:
            account = self.api.get(f"/api/v1/namespaces/{namespace}/serviceaccounts/default")
        except (*UNREACHABLE, ApiError):
            return False
        # Before it has its token, pods are refused; since 1.24 tokens are no Secrets.
        return self._controllers_version >= (1, 24) or "secrets" in account

    def _write_credentials(self) -> None:
        (self.folder / "tokens.csv").write_text(f"{self._token},admin,admin,system:masters\n")
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        (self.folder / "service-accounts.key").write_bytes(private)

    def _etcd_process(self) -> Process:
        url = f"http://127.0.0.1:{self._etcd_port}"
        peers = f"http://127.0.0.1:{free_port()}"
        command: list[str | Path] = [
            *(self._assets / "etcd", "--data-dir=etcd", "--unsafe-no-fsync"),
            *(f"--listen-client-urls={url}", f"--advertise-client-urls={url}"),
            *(f"--listen-peer-urls={peers}", f"--initial-advertise-peer-urls={peers}"),
            f"--initial-cluster=default={peers}",
        ]
        return Process(command, self.folder)

    def _api_server_process(self) -> Process:
        command: list[str | Path] = [
            *(self._assets / "kube-apiserver", "--cert-dir=.", "--token-auth-file=tokens.csv"),
            f"--etcd-servers=http://127.0.0.1:{self._etcd_port}",
            *("--bind-address=127.0.0.1", f"--secure-port={self.server.rpartition(':')[2]}"),
            *("--authorization-mode=RBAC", "--endpoint-reconciler-type=none"),
            *("--service-cluster-ip-range=10.96.0.0/16", f"--service-account-issuer={ISSUER}"),
            "--service-account-signing-key-file=service-accounts.key",
            "--service-account-key-file=service-accounts.key",
        ]
        return Process(command, self.folder)

    def _controllers_process(self) -> Process:
        # The flag is gone since 1.24, and with it the port.
        plain = ["--port=0"] if self._controllers_version < (1, 24) else []
        command: list[str | Path] = [
            *(self._assets / "kube-controller-manager", f"--kubeconfig={self.kubeconfig}"),
            *(*plain, "--secure-port=0", "--leader-elect=false"),
            # Our nodes send no heartbeats; without this controller nobody misses them.
            "--controllers=*,-nodelifecycle",
            *("--kube-api-qps=500", "--kube-api-burst=1000"),
            "--horizontal-pod-autoscaler-sync-period=1s",
            "--service-account-private-key-file=service-accounts.key",
            "--root-ca-file=apiserver.crt",
        ]
        return Process(command, self.folder)


def version_of(program: Path) -> tuple[int, int]:
    """Of one of Kubernetes' own programs: ``Kubernetes v1.20.2`` is (1, 20)."""
    said = subprocess.check_output([program, "--version"], text=True, timeout=60)
    found = re.match(r"Kubernetes v(\d+)\.(\d+)", said)
    assert found is not None, said
    return int(found[1]), int(found[2])


def assets(variable: str = "KUBEBUILDER_ASSETS", version: str = "1.20") -> Path:
    how = (
        f"set {variable} to a folder with etcd, kube-apiserver and kube-controller-manager "
        f"{version} (envtest's own folders hold no controller manager)"
    )
    folder = Path(os.environ.get(variable, ""))
    for program in PROGRAMS:
        require(program, os.access(folder.absolute() / program, os.X_OK), how)
    return folder.absolute()
