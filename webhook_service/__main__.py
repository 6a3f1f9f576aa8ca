"""``python -m webhook_service`` is the command ``webhook-service``."""

from webhook_service.cli import main

if __name__ == "__main__":
    main()
