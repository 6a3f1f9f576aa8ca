"""The command line: thin over WebhookService, one noun per module.

Nothing heavy is imported before a command runs, so that ``--help`` answers at once.
"""

import os


def main() -> None:
    """Run the command line; the process ends with the command's exit code."""
    # Pydantic looks for plug-ins of its own in the entry points of every distribution, and one
    # line there that cannot be read, in any of them, would end every command.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    from webhook_service.cli.app import app
    from webhook_service.cli.failures import open_missing_streams

    open_missing_streams()
    app()
