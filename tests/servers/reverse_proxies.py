"""nginx and HAProxy in front of a host, configured as their users do."""

import shutil
import tempfile
from pathlib import Path
from typing import ClassVar, Self

from tests.servers.process import Process, accepts, free_port
from tests.servers.requirements import require_program


class ReverseProxy:
    """Use as a context manager; `port` is where it listens, `to` that of the host behind it."""

    program: ClassVar[str]
    package: ClassVar[str]
    config: ClassVar[str]
    arguments: ClassVar[tuple[str, ...]]

    def __init__(self, to: int) -> None:
        program = require_program(self.program, f"apt-get install {self.package}")
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix=f"{self.program}-"))
        file = self.folder / "proxy.conf"
        values = {"PORT": self.port, "TO": to, "FOLDER": self.folder}
        text = self.config
        for name, value in values.items():
            text = text.replace(name, str(value))
        file.write_text(text)
        self._process = Process([program, *self.arguments, file], self.folder)

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
pid FOLDER/nginx.pid;
error_log stderr;
events {}
http {
  access_log off;
  client_body_temp_path FOLDER/body;
  proxy_temp_path FOLDER/proxy;
  fastcgi_temp_path FOLDER/fastcgi;
  uwsgi_temp_path FOLDER/uwsgi;
  scgi_temp_path FOLDER/scgi;
  upstream host {
    server 127.0.0.1:TO;
    keepalive 4;
  }
  server {
    listen 127.0.0.1:PORT;
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
  bind 127.0.0.1:PORT
  server host 127.0.0.1:TO
"""
