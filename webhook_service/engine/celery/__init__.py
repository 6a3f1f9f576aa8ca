"""The Celery engine: a broker carries ids of executions to worker processes.

What belongs here: all that knows Celery, imported only by those who use it. The tables stay the
truth: the broker holds a short window on them, and may lose all of it.
"""

from importlib.util import find_spec

from webhook_service.errors import SettingsError

if find_spec("celery") is None:
    raise SettingsError("The engine celery needs Celery: pip install 'webhook-service[celery]'.")
