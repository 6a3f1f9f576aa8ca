"""The command line: thin over WebhookService, one noun per module.

Nothing heavy is imported before a command runs, so that ``--help`` answers at once.
"""


def main() -> None:
    """Run the command line; the process ends with the command's exit code."""
    from webhook_service.cli.app import app

    app()
