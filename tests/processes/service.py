"""Host processes behind one parent, as a program: ``python -m tests.processes.service NUMBER``."""

import sys

from webhook_service.processes.parent import serve_in_processes
from webhook_service.settings import load_settings
from webhook_service.telemetry.logs import configure

if __name__ == "__main__":
    configure("text")
    host = (sys.executable, "-m", "tests.processes.host")
    sys.exit(serve_in_processes(load_settings(), int(sys.argv[1]), host, print))
