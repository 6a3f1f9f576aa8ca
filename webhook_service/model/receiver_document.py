"""A receiver as a document, in a file or in a cluster: apiVersion, kind, metadata and spec.

The spec is a receiver's JSON without its name, which stands in the metadata, as do its labels. A
secret is never in it: a ``secretRef`` says where the secret is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby, zip_longest
from operator import itemgetter
from typing import Any

from webhook_service.errors import InvalidConfig, WebhookServiceError
from webhook_service.model.receiver import (
    HIDDEN,
    Match,
    ReceiverState,
    Respond,
    Source,
    Verify,
    config_field,
)

GROUP = "webhook-service.io"
VERSION = "v1alpha1"
KIND = "Receiver"
SECRET_REF = "secretRef"
# Fewer characters of a secret may stand in a message by chance.
_QUOTED = 6
Json = Mapping[str, Any]
_OF_THE_METADATA = ("name", "labels")


@dataclass(frozen=True, slots=True)
class ReceiverDocument:
    """One document.

    Attributes:
        namespace: in which its target is, where the driver's config does not say one.
    """

    name: str
    namespace: str | None
    labels: Json
    spec: Json

    @classmethod
    def read(cls, document: Any) -> ReceiverDocument:
        """A document as it was parsed; its status and other metadata are a cluster's, and left.

        Raises:
            InvalidConfig: it is no Receiver, or a field is missing; the message begins with it.
        """
        if not isinstance(document, Mapping):
            raise InvalidConfig("a document is an object with apiVersion, kind, metadata and spec.")
        wanted = {"apiVersion": f"{GROUP}/{VERSION}", "kind": KIND}
        for field, value in wanted.items():
            if document.get(field) != value:
                found = str(document.get(field, "nothing"))[:100]
                raise InvalidConfig(f"{field}: must be {value}, not {found}.")
        about, spec = document.get("metadata"), document.get("spec")
        name = about.get("name") if isinstance(about, Mapping) else None
        if not isinstance(about, Mapping) or not isinstance(name, str) or not name:
            raise InvalidConfig("metadata.name: must be the receiver's name.")
        if not isinstance(spec, Mapping):
            raise InvalidConfig("spec: must be an object, with the driver and its config.")
        for field in _OF_THE_METADATA:
            if field in spec:
                raise InvalidConfig(f"spec.{field}: stands in the metadata: metadata.{field}.")
        return cls(name, about.get("namespace"), about.get("labels") or {}, spec)

    def body(self, takes_namespace: Callable[[str], bool]) -> dict[str, Any]:
        """The receiver's JSON, with its references to secrets and without labels.

        Args:
            takes_namespace: tells whether the config of a driver, by name, has a ``namespace``.
        """
        body = {"name": self.name, **self.spec}
        driver = body.get("driver")
        if self.namespace and isinstance(driver, str) and takes_namespace(driver):
            field = config_field(driver)
            config = body.get(field) or {}
            if isinstance(config, Mapping):
                body[field] = {"namespace": self.namespace, **config}
        return body


def document_of(receiver: Json) -> dict[str, Any]:
    """The document of a receiver as answers show it; what it does not say is as in a new one.

    Each hidden secret becomes a reference to a Secret named like the receiver.
    """
    secret, field = _secret_name(receiver["name"]), config_field(receiver["driver"])
    config = {name: value for name, value in receiver[field].items() if name != "type"}
    spec: dict[str, Any] = {
        "driver": receiver["driver"],
        field: _with_references(config, secret, ()),
    }
    listen, usual = receiver["listen"], {"source": Source(), "verify": Verify()}
    if listen["inboxes"]:
        spec["listen"] = listen
    for part, default in usual.items():
        if listen["ownUrl"] or receiver[part] != default.model_dump(by_alias=True):
            spec[part] = _with_references(receiver[part], secret, (part,))
    spec["match"] = _match(receiver["match"])
    for part in ("registry", "approval"):
        if receiver.get(part) is not None:
            said = receiver[part].items()
            spec[part] = {name: value for name, value in said if value not in (None, [])}
    for part, unsaid in (("respond", Respond.ACCEPTED), ("state", ReceiverState.ACTIVE)):
        if receiver[part] != unsaid.value:
            spec[part] = receiver[part]
    about = {"name": receiver["name"]}
    if receiver["labels"]:
        about["labels"] = receiver["labels"]
    return {"apiVersion": f"{GROUP}/{VERSION}", "kind": KIND, "metadata": about, "spec": spec}


def with_secrets(value: Any, read: Callable[[Json], str]) -> tuple[Any, Collection[str]]:
    """A part of a document with each ``secretRef`` replaced, and the texts that replaced them.

    Args:
        read: gives the text that a reference names; ``HIDDEN`` for one that stays as it is stored.
    """
    texts: set[str] = set()

    def replaced(part: Any) -> Any:
        if isinstance(part, Mapping):
            if not is_secret_ref(part):
                return {name: replaced(each) for name, each in part.items()}
            text = read(part[SECRET_REF])
            texts.add(text)
            return text
        return [replaced(each) for each in part] if isinstance(part, list | tuple) else part

    return replaced(value), texts - {HIDDEN}


def is_secret_ref(value: Any) -> bool:
    """Whether a part of a document is a reference to a secret, and nothing else.

    Raises:
        InvalidConfig: something stands beside the reference.
    """
    if not isinstance(value, Mapping) or SECRET_REF not in value:
        return False
    if len(value) > 1 or not isinstance(value[SECRET_REF], Mapping):
        raise no_reference("the name and the key of a Secret")
    return True


def no_reference(wanted: str) -> InvalidConfig:
    """The refusal of a ``secretRef`` that nobody can follow."""
    return InvalidConfig(f"{SECRET_REF}: say {wanted}, and nothing else.")


def refuse_plain_secrets(said: Any, shown: Any) -> None:
    """Let secrets stand where secrets are kept, and nowhere else.

    Args:
        said: a part of a document, with its references.
        shown: the same as answers of the API show it.

    Raises:
        InvalidConfig: a secret stands in the document itself, where many may read it; or a
            reference stands where the text that it names would be shown.
    """
    for path in _plain_secrets(said, shown, "spec"):
        raise InvalidConfig(
            f"{path}: a secret does not belong into the document; put it into a Secret, and say "
            f"{path.rpartition('.')[2]}: {{{SECRET_REF}: {{name: …, key: …}}}}."
        )
    for path in _shown_secrets(said, shown, "spec"):
        raise InvalidConfig(
            f"{path}: this is shown to all who see the receiver, so no {SECRET_REF} may stand "
            "here: write what is meant."
        )


@contextmanager
def hiding(texts: Collection[str]) -> Iterator[None]:
    """Take secrets out of what an error says, and parts of them that it quotes."""
    try:
        yield
    except WebhookServiceError as exc:
        # A field's name before the colon is the document's own.
        head, colon, tail = exc.message.partition(": ")
        said = tail if colon else head
        for text in texts:
            said = _without(said, text.removeprefix("whsec_").removeprefix("https://"))
        exc.message = f"{head}{colon}{said}" if colon else said
        raise


def _without(message: str, text: str) -> str:
    """A message in which no part of a secret stands, but for a few characters."""
    width = min(_QUOTED, len(text))
    parts = {text[at : at + width] for at in range(len(text) - width + 1)} - {""}
    hidden = [False] * len(message)
    for at in range(len(message) - width + 1):
        if message[at : at + width] in parts:
            hidden[at : at + width] = [True] * width
    runs = groupby(zip(hidden, message, strict=True), key=itemgetter(0))
    return "".join(
        HIDDEN if is_hidden else "".join(char for _, char in run) for is_hidden, run in runs
    )


def _plain_secrets(said: Any, shown: Any, path: str) -> Iterator[str]:
    if shown == HIDDEN and not is_secret_ref(said):
        yield path
    elif isinstance(said, Mapping) and isinstance(shown, Mapping):
        for name in said.keys() & shown.keys():
            yield from _plain_secrets(said[name], shown[name], f"{path}.{name}")
    elif isinstance(said, list | tuple) and isinstance(shown, list | tuple):
        for place, (one, other) in enumerate(zip(said, shown, strict=False)):
            yield from _plain_secrets(one, other, f"{path}.{place}")


def _shown_secrets(said: Any, shown: Any, path: str) -> Iterator[str]:
    """The places of references that no hidden secret came of."""
    if is_secret_ref(said):
        if not _is_hidden(shown):
            yield path
    elif isinstance(said, Mapping):
        # A field of a config may be said by its name in Python.
        known = shown if isinstance(shown, Mapping) else {}
        found = {_plain(str(name)): each for name, each in known.items()}
        for name, each in said.items():
            yield from _shown_secrets(each, found.get(_plain(str(name))), f"{path}.{name}")
    elif isinstance(said, list | tuple):
        others = shown if isinstance(shown, list | tuple) else [shown] * len(said)
        for place, (one, other) in enumerate(zip_longest(said, others[: len(said)])):
            yield from _shown_secrets(one, other, f"{path}.{place}")


def _is_hidden(shown: Any) -> bool:
    if isinstance(shown, list | tuple):
        return bool(shown) and all(map(_is_hidden, shown))
    return bool(shown == HIDDEN)


def _plain(name: str) -> str:
    return name.replace("_", "").casefold()


def _with_references(value: Any, secret: str, path: tuple[str, ...]) -> Any:
    if value == HIDDEN:
        return {SECRET_REF: {"name": secret, "key": ".".join(path)}}
    if isinstance(value, Mapping):
        return {name: _with_references(each, secret, (*path, name)) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [
            _with_references(each, secret, (*path, str(place))) for place, each in enumerate(value)
        ]
    return value


def _match(rules: Json) -> dict[str, Any]:
    """The rules that are not the usual ones; the policy always, for a driver may have its own."""
    said = Match.model_validate(rules).model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return {**said, "tags": {"policy": rules["tags"]["policy"], **said.get("tags", {})}}


def _secret_name(receiver: str) -> str:
    """A name that a Secret of Kubernetes may have."""
    return re.sub(r"[^a-z0-9]+", "-", receiver.lower())[:200].strip("-") or "receiver"
