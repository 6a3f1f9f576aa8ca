"""A receiver as a row, with its secrets sealed, and back."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Row

from webhook_service.errors import InvalidConfig
from webhook_service.model.receiver import Receiver, ReceiverSpec
from webhook_service.store.secrets.sealing import Sealer


class ReceiverRows:
    """Makes rows of receivers, and receivers of rows.

    Args:
        now: the time by the database's clock.
    """

    def __init__(self, sealer: Sealer, now: Callable[[], datetime]) -> None:
        self._sealer = sealer
        self._now = now

    def values(self, receiver_id: str, spec: ReceiverSpec) -> dict[str, Any]:
        """The columns that a receiver's spec fills."""
        values = spec.model_dump(mode="json", by_alias=True)
        polled = spec.registry is not None and spec.registry.poll is not None
        values["poll_due"] = self._now() if polled else None
        if spec.verify.secrets:
            secrets = json.dumps(spec.verify.secrets)
            values["verify"]["sealed"] = self._sealer.seal(receiver_id, secrets)
        values["sealed_config"] = None
        if spec.secret_config is not None:
            secrets = json.dumps(spec.secret_config)
            values["sealed_config"] = self._sealer.seal(receiver_id, secrets)
        return values

    def read(self, row: Row[Any]) -> Receiver:
        """
        Raises:
            InvalidConfig: what is stored is no receiver of this version.
            SettingsError: its secrets were sealed with a key that is not set any more.
        """
        values = dict(row._mapping)
        verify = dict(values["verify"])
        if sealed := verify.pop("sealed", None):
            verify["secrets"] = json.loads(self._sealer.open(values["id"], sealed))
        values["verify"] = verify
        sealed = values.pop("sealed_config")
        values["secret_config"] = sealed and json.loads(self._sealer.open(values["id"], sealed))
        try:
            spec = ReceiverSpec.model_validate(
                {name: values[name] for name in ReceiverSpec.model_fields}
            )
        except ValidationError as exc:
            raise InvalidConfig(
                f"The stored receiver {row.id} cannot be read ({exc.error_count()} errors): "
                "delete it, and create it again."
            ) from exc
        return Receiver(
            values["id"],
            values["project"],
            spec,
            values["created"],
            values["updated"],
            values["version"],
        )
