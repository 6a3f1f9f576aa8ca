"""Our own webhook rolls our own image out, from a registry that tells it of the push."""

from pathlib import Path

import pytest

from tests.e2e.conftest import Pipeline
from tests.servers.builder import IMAGE, Builder

pytestmark = [pytest.mark.e2e, pytest.mark.image_build, pytest.mark.slow, pytest.mark.timeout(3600)]
TAG = "0.2.0"


def test_a_push_of_our_own_image_is_rolled_out_with_its_digest(
    pipeline: Pipeline, builder: Builder, tmp_path: Path
) -> None:
    digest, pushed = tmp_path / "digest", f"{pipeline.repository}:{TAG}"
    words = ("push", "--tls-verify=false", f"--digestfile={digest}", IMAGE, f"docker://{pushed}")
    builder.run(*words)
    execution = pipeline.host.wait_for_end(TAG)
    assert execution["state"] == "succeeded", execution["message"]
    pipeline.shop.wait_for_image(f"{pushed}@{digest.read_text()}")
