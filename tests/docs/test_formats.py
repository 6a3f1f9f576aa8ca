"""docs/formats.md says what the code says; every sender has a page."""

import base64
import json
import re
from typing import Any

import pytest

from tests.docs.tables import HOW, PAGE, formats, schemes, with_tables
from webhook_service.formats.format import Format, Sender
from webhook_service.schemes.scheme import Scheme
from webhook_service.testing.samples import sample_push

FORMATS = formats().targets
DIGEST = "sha256:" + "ab" * 32
# Cloudsmith's context comes with changed tags alone. Of GitLab the sample is the registry's
# notification, and not a pipeline.
NOT_IN_SAMPLES = {
    "cloudsmith": ["context.old_tags", "context.new_tags"],
    "dockerhub": ["push_data.media_type"],
    "gitlab": [*FORMATS["gitlab"].sender.fields],
}
SCHEMES = schemes().targets


def test_the_tables_are_those_of_the_code() -> None:
    page = PAGE.read_text()
    assert page == with_tables(page), f"docs/formats.md is old: {HOW}"


def test_a_page_without_a_place_for_a_table_is_refused() -> None:
    with pytest.raises(ValueError, match="senders"):
        with_tables("# A page")


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_says_who_sends_it(name: str) -> None:
    sender = FORMATS[name].sender
    assert sender.name and sender.fields and sender.identity and sender.gaps
    assert (PAGE.parent / sender.page.partition("#")[0]).is_file()
    assert not set(sender.verification) - set(SCHEMES)


@pytest.mark.parametrize("name", SCHEMES)
def test_every_scheme_says_what_it_checks(name: str) -> None:
    proof = SCHEMES[name].proof
    assert proof.algorithm and proof.replay


@pytest.mark.parametrize("targets", [FORMATS, SCHEMES], ids=["formats", "schemes"])
def test_no_cell_breaks_its_table(
    targets: dict[str, type[Format[Any]] | type[Scheme[Any]]],
) -> None:
    told = [getattr(target, "sender", None) or target.proof for target in targets.values()]
    assert not [text for item in told for text in re.findall(r"[|\n]", _flat(item))]


@pytest.mark.parametrize("name", sorted(set(FORMATS) - {"auto", "cloudevents", "generic"}))
def test_what_is_said_of_time_digest_and_id_is_so(name: str) -> None:
    sender, image = FORMATS[name].sender, f"registry.example/acme/shop:1.2.3@{DIGEST}"
    options = FORMATS[name].Options(registry="registry.example")
    (event,) = FORMATS[name]().parse(*sample_push(name, image), options).events
    assert (event.pushed_at is None, event.digest is None) == (not sender.time, not sender.digest)
    told = sender.identity.partition(";")[0]
    assert (event.source_id is None) == (not re.search(r"\bid`|_id`|Id`|Delivery`", told))


@pytest.mark.parametrize("name", sorted(set(FORMATS) - {"auto", "cloudevents", "generic"}))
def test_the_fields_that_are_read_are_in_the_senders_calls(name: str) -> None:
    body, headers = sample_push(name, f"registry.example/acme/shop:1.2.3@{DIGEST}")
    fields = FORMATS[name].sender.fields
    missing = [field for field in fields if not (field.lower() in headers or _has(field, body))]
    assert missing == NOT_IN_SAMPLES.get(name, [])


def test_a_foreign_format_needs_to_say_nothing() -> None:
    assert Format.sender == Sender()


def _has(field: str, body: bytes) -> bool:
    """Whether a body has the field with this path, in which ``[]`` is an array's first element."""
    value = json.loads(body)
    for key in field.split("."):
        if isinstance(value, str):
            value = json.loads(base64.b64decode(value))
        value = value.get(key.removesuffix("[]"))
        if value is None:
            return False
        value = value[0] if key.endswith("[]") else value
    return True


def _flat(item: Any) -> str:
    values = (getattr(item, name) for name in item.__slots__)
    return " ".join(" ".join(value) if isinstance(value, tuple) else str(value) for value in values)
