"""The workflow that makes a release: GitHub takes it, and it can do what it says and no more."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
WORKFLOW = ROOT / ".github/workflows/release.yml"
TEXT = WORKFLOW.read_text()
# YAML 1.1 reads the key `on` as true.
JOBS: dict[str, dict[str, Any]] = yaml.safe_load(TEXT)["jobs"]


def checked(path: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema"]
    return subprocess.run(
        [*command, "vendor.github-workflows", path], capture_output=True, text=True
    )


def test_the_workflow_has_the_shape_that_github_takes(tmp_path: Path) -> None:
    done = checked(WORKFLOW)
    assert done.returncode == 0, done.stdout
    wrong = tmp_path / "wrong.yml"
    wrong.write_text(TEXT.replace("runs-on:", "run-on:"))
    assert checked(wrong).returncode == 1


def test_every_action_is_pinned_to_a_commit_and_says_its_version() -> None:
    used = re.findall(r"uses: (.*)", TEXT)
    assert len(used) > 8
    pinned = re.compile(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
    assert [line for line in used if not pinned.fullmatch(line)] == []
    pins = {line.split("@")[0]: line for line in used}
    assert set(used) == set(pins.values()), "two versions of one action"


def test_only_jobs_that_publish_may_write_and_all_wait_for_the_tests() -> None:
    assert yaml.safe_load(TEXT)["permissions"] == {}
    assert JOBS["build"]["permissions"] == {"contents": "read"}
    assert JOBS["image"]["needs"] == "build"
    assert JOBS["publish"]["needs"] == ["build", "image"]
    assert all(job["timeout-minutes"] <= 120 for job in JOBS.values())


def test_what_the_workflow_runs_are_targets_of_the_makefile() -> None:
    commands = [step["run"] for job in JOBS.values() for step in job["steps"] if "run" in step]
    named = {
        word
        for run in commands
        for words in re.findall(r"\bmake (?:-s )?([a-z ]+)", run)
        for word in words.split()
    }
    assert named == {"version", "check", "test", "dist", "image", "sbom", "notes"}
    done = subprocess.run(["make", "--dry-run", *sorted(named)], cwd=ROOT, capture_output=True)
    assert done.returncode == 0, done.stderr


def test_what_is_published_is_what_the_last_job_before_it_left() -> None:
    """The image's job adds the SBOM of what it built to the files of the first job."""

    def artifacts(job: str, action: str) -> list[str]:
        steps = (each for each in JOBS[job]["steps"] if action in each.get("uses", ""))
        return [each["with"]["name"] for each in steps]

    assert artifacts("build", "upload-artifact") == artifacts("image", "download-artifact")
    assert artifacts("image", "upload-artifact") == artifacts("publish", "download-artifact")


def test_the_image_names_its_source_where_there_is_one() -> None:
    def built(*words: str) -> str:
        command = ["make", "--dry-run", "image", *words]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    label = "--label org.opencontainers.image.source=https://git.example.com/acme/hooks"
    assert label in built("SOURCE=https://git.example.com/acme/hooks")
    assert "image.source" not in built()
    assert 'SOURCE="$GITHUB_SERVER_URL/$GITHUB_REPOSITORY"' in TEXT
