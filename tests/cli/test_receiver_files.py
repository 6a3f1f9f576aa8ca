"""Receivers as files: what apply makes, changes, leaves alone, refuses and deletes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import Result

from tests.cli.conftest import PROJECT, Run, RunJson
from tests.receiving.test_config_secrets import FULL, Vault
from webhook_service.cli.documents import MAX_DOCUMENT, MAX_FILE, read_documents
from webhook_service.client import Client
from webhook_service.model.receiver import HIDDEN
from webhook_service.service import WebhookService

UNSIGNED = {"scheme": "none"}
Write = Callable[..., str]


@pytest.fixture(autouse=True)
def vault(stub_driver: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver whose config has secrets is installed, too."""
    original = WebhookService.open.__func__  # type: ignore[attr-defined]

    def with_vault(cls: type[WebhookService], *args: Any, **kwargs: Any) -> WebhookService:
        service: WebhookService = original(cls, *args, **kwargs)
        service.drivers.add("vault", Vault())
        return service

    monkeypatch.setattr(WebhookService, "open", classmethod(with_vault))


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes documents into a file of the current folder; gives its name."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)

    def call(name: str, *documents: dict[str, Any]) -> str:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(yaml.safe_dump_all(documents, sort_keys=False))
        return name

    return call


def document(name: str = "shop", labels: Any = None, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "webhook-service.io/v1alpha1",
        "kind": "Receiver",
        "metadata": {"name": name, **({"labels": labels} if labels else {})},
        "spec": {"driver": "stub", "verify": UNSIGNED, **spec},
    }


def rules(*repositories: str, **more: Any) -> dict[str, Any]:
    return {"match": {"repositories": list(repositories), **more}}


def results(result: Result) -> list[list[str]]:
    """The first two words of each line that is about a receiver."""
    assert result.exit_code == 0, result.stderr
    lines = [line.split()[:2] for line in result.stdout.splitlines() if line[0] != " "]
    return lines[:-1]


def stored(run_json: RunJson, name: str) -> Any:
    return run_json("receiver", "show", name)


def nothing_is_stored(run_json: RunJson) -> bool:
    return bool(run_json("receiver", "list")["data"] == [])


def test_a_second_apply_changes_nothing_and_says_so(
    run: Run, run_json: RunJson, write: Write
) -> None:
    write("r/a.yaml", document("shop", **rules("acme/shop")), document("web"))
    write("r/b.yml", document("cart"))
    Path("r/c.json").write_text(json.dumps(document("mail")))
    Path("r/notes.txt").write_text("no receiver")
    names = ["cart", "mail", "shop", "web"]
    first = results(run("receiver", "apply", "-f", "r"))
    assert sorted(first) == [["created", name] for name in names]
    before = [stored(run_json, name) for name in names]
    again = run("receiver", "apply", "-f", "r")
    assert sorted(results(again)) == [["unchanged", name] for name in names]
    assert again.stdout.endswith("Nothing to change: what is stored is what the 4 documents say.\n")
    assert [stored(run_json, name) for name in names] == before
    assert len(run_json("audit", "list")["data"]) == len(names)


def test_a_change_is_shown_first_and_then_made(run: Run, run_json: RunJson, write: Write) -> None:
    file = write("a.yaml", document(**rules("acme/shop", when="event.tag != 'x'")))
    run("receiver", "apply", "-f", file)
    run("receiver", "suspend", "shop")
    write("a.yaml", document(**rules("acme/shop", tags={"policy": "semver", "value": "^2"})))
    would = run("receiver", "apply", "-f", file, "--dry-run")
    assert would.stdout.splitlines() == [
        "changed    shop (a.yaml, document 1)",
        "    match.tags.policy: any -> semver",
        "    match.when: event.tag != 'x' -> nothing",
        "    match.tags.value: nothing -> ^2",
        "This would be: 1 changed. Nothing is stored.",
    ]
    assert stored(run_json, "shop")["match"]["when"]
    made = run("receiver", "apply", "-f", file)
    assert made.stdout.splitlines()[:-1] == would.stdout.splitlines()[:-1]
    found = stored(run_json, "shop")
    assert (found["match"]["when"], found["match"]["tags"]["value"]) == (None, "^2")
    assert found["state"] == "suspended", "nobody's suspension ends by itself"


def test_nothing_is_applied_if_one_document_is_wrong(
    run: Run, run_json: RunJson, write: Write
) -> None:
    bad = document("bad", **rules("acme/bad", tags={"policy": "nothing"}))
    write("r/a.yaml", document("good"), bad, document("worse", mtach={}))
    refused = run("receiver", "apply", "-f", "r")
    assert (refused.exit_code, refused.stdout) == (1, "")
    first, second, last = refused.stderr.splitlines()
    assert first.startswith("error: r/a.yaml, document 2 (bad): match.tags")
    assert second.startswith("error: r/a.yaml, document 3 (worse): ") and "mean match?" in second
    assert last == "Nothing was applied."
    assert nothing_is_stored(run_json)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: {secret: c4nary\nc: d: e", "(line 3, column 2)"),
        ("a: 1\nsecret: c4nary\n\td: e", "(line 3, column 1)"),
        (
            "secret: c4nary\nsecret: c4nary",
            "the field 'secret' stands in it twice (line 2, column 1)",
        ),
        ("secret: c4nary\0", "special characters are not allowed"),
    ],
)
def test_a_fault_in_yaml_is_told_without_the_line_that_it_stands_in(
    run: Run, write: Write, text: str, said: str
) -> None:
    Path("a.yaml").write_text(text)
    refused = run("receiver", "apply", "-f", "a.yaml")
    assert said in refused.stderr and "c4nary" not in refused.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "a.yaml: this is not YAML: "),
        ("{a", "a.yaml: this is neither JSON nor YAML: "),
        ("- 1", "a.yaml, document 1: a document is an object with apiVersion"),
        ("kind: Receiver", "document 1: apiVersion: must be webhook-service.io/v1alpha1, not"),
        (
            "apiVersion: webhook-service.io/v1alpha1\nkind: Reciever",
            "document 1: kind: must be Receiver, not Reciever.",
        ),
        (yaml.safe_dump({**document(), "metadata": {}}), "metadata.name: must be the receiver"),
        (yaml.safe_dump({**document(), "spec": 1}), "document 1: spec: must be an object"),
        (yaml.safe_dump(document(labels={"a b": "c"})), "labels.a b"),
        (yaml.safe_dump(document(name="")), "metadata.name: must be the receiver"),
        (yaml.safe_dump({**document(), "spec": {"labels": {}}}), "spec.labels: stands in the"),
        (yaml.safe_dump({**document(), "spec": {"name": "x"}}), "spec.name: stands in the"),
        (yaml.safe_dump_all([document(), document()]), "document 2: metadata.name: a.yaml, docume"),
        ("a: 1\na: 2", "the field 'a' stands in it twice"),
        ('{"a": 1, "a": 2}', "the field 'a' stands in it twice"),
        ("a: .nan", "document 1: the document has a value that JSON cannot hold"),
        ("a: !!binary aGk=", "document 1: the document has a value that JSON cannot hold"),
        ("a: &x {b: *x}", "document 1: the document has a value that JSON cannot hold"),
        ("[" * 5000, "a.yaml: "),
        (f"a: '{'x' * MAX_DOCUMENT}'", f"document 1: the document is larger than {MAX_DOCUMENT}"),
        ("x" * (MAX_FILE + 1), f"the file is larger than {MAX_FILE} bytes"),
        ("", "There is no document: nothing is applied, and nothing deleted."),
    ],
    ids=lambda value: value[:20],
)
def test_what_is_no_receiver_is_named_with_its_place(
    run: Run, run_json: RunJson, write: Write, text: str, said: str
) -> None:
    Path("a.yaml").write_text(text)
    refused = run("receiver", "apply", "-f", "a.yaml")
    assert refused.exit_code == 1 and said in refused.stderr, refused.stderr
    assert len(refused.stderr) < 1000
    assert nothing_is_stored(run_json)


def test_many_aliases_of_little_are_not_written_out(write: Write) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 30)]
    Path("a.yaml").write_text("\n".join(lines))
    _, (problem,) = read_documents(["a.yaml"])
    assert "larger than" in problem


def test_a_file_that_is_not_there_or_a_folder_without_documents_is_named(
    run: Run, write: Write
) -> None:
    assert (
        "none.yaml: cannot be read: No such file"
        in run("receiver", "apply", "-f", "none.yaml").stderr
    )
    write("r/deep/a.yaml", document())
    assert "--recursive also looks" in run("receiver", "apply", "-f", "r").stderr
    assert results(run("receiver", "apply", "-f", "r", "-R")) == [["created", "shop"]]


def test_yaml_is_read_as_kubernetes_does(run: Run, run_json: RunJson, write: Write) -> None:
    text = yaml.safe_dump(document(**rules("acme/shop", tags={"policy": "exact", "value": "DATE"})))
    Path("a.yaml").write_text(text.replace("DATE", "2026-01-05"))
    assert results(run("receiver", "apply", "-f", "a.yaml")) == [["created", "shop"]]
    assert stored(run_json, "shop")["match"]["tags"]["value"] == "2026-01-05"


def test_what_kubectl_prints_is_taken_from_stdin(run: Run, write: Write) -> None:
    resource = document()
    resource["metadata"] |= {"uid": "u", "resourceVersion": "1", "annotations": {"a": "b"}}
    listed = {"apiVersion": "v1", "kind": "List", "items": [{**resource, "status": {"state": "x"}}]}
    for text in (json.dumps(listed), yaml.safe_dump(listed)):
        done = run("receiver", "apply", "-f", "-", stdin=text)
        assert done.exit_code == 0 and "shop (stdin, document 1)" in done.stdout


def test_the_namespace_of_a_document_is_that_of_its_target(run: Run, write: Write) -> None:
    shop = document(driver="deploymentUpdate", deploymentUpdateConfig={"name": "shop"})
    file = write("a.yaml", shop)
    assert "deploymentUpdateConfig.namespace" in run("receiver", "apply", "-f", file).stderr
    shop["metadata"]["namespace"] = "elsewhere"
    write("a.yaml", shop)
    # There is no cluster, which is asked last.
    assert "deploymentUpdateConfig" not in run("receiver", "apply", "-f", file).stderr


def test_a_receiver_may_come_after_one_of_the_same_files(
    run: Run, run_json: RunJson, write: Write
) -> None:
    after = {"receiver": "stage", "succeededFor": "30m"}
    file = write("a.yaml", document("shop", **rules("a/b", after=after)), document("stage"))
    assert results(run("receiver", "apply", "-f", file, "--dry-run"))
    assert nothing_is_stored(run_json)
    done = results(run("receiver", "apply", "-f", file))
    assert done == [["created", "stage"], ["created", "shop"]]
    write("a.yaml", document("shop", **rules("a/b", after={"receiver": "gone"})))
    assert "no other receiver named 'gone'" in run("receiver", "apply", "-f", file).stderr
    write(
        "a.yaml",
        document("shop", **rules("a/b", after={"receiver": "stage"})),
        document("stage", **rules("a/b", after={"receiver": "shop"})),
    )
    assert "wait for each other" in run("receiver", "apply", "-f", file).stderr


def test_an_inbox_that_is_not_there_is_found_before_anything_is_applied(
    run: Run, run_json: RunJson, write: Write
) -> None:
    lost = document("shop", listen={"inboxes": ["hub"]}, **rules("acme/shop"))
    file = write("a.yaml", document("web"), lost)
    refused = run("receiver", "apply", "-f", file)
    assert (
        "document 2 (shop): listen.inboxes: the project has no inbox named 'hub'" in refused.stderr
    )
    assert nothing_is_stored(run_json)


def test_what_no_document_is_about_is_pruned_by_its_labels(
    run: Run, run_json: RunJson, write: Write
) -> None:
    team = {"team": "shop"}
    write("r/a.yaml", document("shop", team))
    write("r/b.yaml", document("web", {**team, "tier": "front"}))
    write("other.yaml", document("other", {"team": "other"}), document("bare"))
    run("receiver", "apply", "-f", "r", "-f", "other.yaml")
    Path("r/b.yaml").unlink()
    prune = ("receiver", "apply", "-f", "r", "--prune", "-l", "team=shop")
    would = run(*prune, "--dry-run")
    assert results(would) == [["unchanged", "shop"], ["deleted", "web"]]
    assert stored(run_json, "web")
    assert results(run(*prune)) == [["unchanged", "shop"], ["deleted", "web"]]
    names = {each["name"] for each in run_json("receiver", "list")["data"]}
    assert names == {"shop", "other", "bare"}
    write("r/b.yaml", document("new"))
    assert "r/b.yaml, document 1: metadata.labels: must have team: shop" in run(*prune).stderr
    assert run("receiver", "apply", "-f", "r", "--prune").exit_code == 2
    for file in Path("r").iterdir():
        file.write_text("")
    emptied = run(*prune)
    assert (emptied.exit_code, len(run_json("receiver", "list")["data"])) == (1, 3)


def test_secrets_are_fetched_from_where_the_document_says(
    run: Run, run_json: RunJson, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    def secret(**reference: str) -> dict[str, Any]:
        return {"secretRef": reference}

    shop = document(
        driver="vault",
        vaultConfig={"token": secret(env="TOKEN"), "keys": [secret(file="key")]},
        verify={"scheme": "github", "secret": secret(name="github", key="token")},
    )
    file = write("r/a.yaml", shop)
    assert (
        "secretRef.env: the variable TOKEN is not set"
        in run("receiver", "apply", "-f", file).stderr
    )
    monkeypatch.setenv("TOKEN", "s-token")
    assert "secretRef.file: r/key cannot be read" in run("receiver", "apply", "-f", file).stderr
    Path("r/key").write_text("s-key\n")
    refused = run("receiver", "apply", "-f", file)
    assert "verify.secret: no such secret is stored yet: give --secrets FOLDER" in refused.stderr
    assert "github/token" in refused.stderr
    Path("s/github").mkdir(parents=True)
    apply = ("receiver", "apply", "-f", file, "--secrets", "s")
    assert "s/github/token cannot be read" in run(*apply).stderr
    Path("s/github/token").write_text("s-github")
    assert results(run(*apply)) == [["created", "shop"]]
    assert results(run(*apply)) == [["unchanged", "shop"]]
    Path("r/key").write_text("s-new")
    Path("s/github/token").write_text("s-newer")
    changed = run(*apply)
    assert changed.stdout.splitlines()[1:3] == [
        f"    verify.secret: {HIDDEN} -> changed",
        f"    vaultConfig.keys: {HIDDEN} -> changed",
    ]
    kept = run("receiver", "apply", "-f", file)
    assert results(kept) == [["unchanged", "shop"]]
    assert "stay as they are stored, as --secrets is not given: shop (github/token)" in kept.stderr
    audit = run("audit", "list", "-o", "json").stdout
    assert "s-" not in changed.stdout + changed.stderr + audit
    with WebhookService.open() as service:
        spec = service.find_receiver(PROJECT, "shop").spec  # type: ignore[union-attr]
    assert spec.full_config == {"token": "s-token", "keys": ["s-new"]}
    assert spec.verify.secrets == {"secret": "s-newer"}
    del shop["spec"]["vaultConfig"]["keys"]
    write("r/a.yaml", shop)
    assert results(run("receiver", "apply", "-f", file)) == [["changed", "shop"]]
    with WebhookService.open() as service:
        spec = service.find_receiver(PROJECT, "shop").spec  # type: ignore[union-attr]
    assert spec.full_config == {"token": "s-token"}, "what a document leaves out goes"


@pytest.mark.parametrize(
    "spec",
    [
        {"match": {"repositories": [{"secretRef": {"env": "DEPLOY_KEY"}}]}},
        {"match": {"when": {"secretRef": {"env": "DEPLOY_KEY"}}}},
        {"driver": {"secretRef": {"env": "DEPLOY_KEY"}}},
        {"stubConfig": {"target": {"secretRef": {"env": "DEPLOY_KEY"}}}},
        {"source": {"registry": {"secretRef": {"env": "DEPLOY_KEY"}}}},
    ],
)
def test_whoever_writes_a_file_cannot_have_other_secrets_of_the_machine_shown(
    run: Run,
    run_json: RunJson,
    write: Write,
    monkeypatch: pytest.MonkeyPatch,
    spec: dict[str, Any],
) -> None:
    monkeypatch.setenv("DEPLOY_KEY", "c4nary-of-the-pipeline")
    refused = run("receiver", "apply", "-f", write("a.yaml", document(**spec)))
    assert refused.exit_code == 1 and "c4nary" not in refused.output + refused.stderr
    assert nothing_is_stored(run_json)


@pytest.mark.parametrize(
    "reference",
    [
        {"env": "A", "file": "b"},
        {"name": "a"},
        {"name": "a", "key": 1},
        {"name": "..", "key": "a"},
        {"name": "a", "key": "b/../../c"},
        {},
    ],
)
def test_a_reference_that_nobody_can_follow_is_refused(
    run: Run, write: Write, reference: dict[str, Any]
) -> None:
    file = write(
        "a.yaml", document(verify={"scheme": "github", "secret": {"secretRef": reference}})
    )
    refused = run("receiver", "apply", "-f", file, "--secrets", ".")
    assert refused.exit_code == 1 and "document 1 (shop): secretRef: " in refused.stderr


def test_a_secret_in_the_document_itself_is_refused(
    run: Run, run_json: RunJson, write: Write
) -> None:
    file = write("a.yaml", document(verify={"scheme": "github", "secret": "s-plain"}))
    refused = run("receiver", "apply", "-f", file)
    assert "spec.verify.secret: a secret does not belong into the document" in refused.stderr
    assert "s-plain" not in refused.stderr and nothing_is_stored(run_json)


RICH: list[dict[str, Any]] = [
    {"name": "plain", "driver": "stub"},
    {"name": "unsigned", "driver": "stub", "verify": UNSIGNED},
    {"name": "Größe 1/2", "driver": "vault", "vaultConfig": FULL, "verify": UNSIGNED},
    {
        "name": "rich",
        "driver": "stub",
        "labels": {"team": "shop", "app.kubernetes.io/part-of": "web"},
        "source": {"format": "generic", "repository": "ghcr.io/acme/shop", "tag": "$.tag"},
        "match": {
            "repositories": ["ghcr.io/acme/shop"],
            "mirrors": {"docker.io": "mirror.example.com/hub"},
            "tags": {"policy": "semver", "value": "^1", "preReleases": True, "exclude": ["x*"]},
            "digests": "required",
            "when": "event.tag != 'a'",
            "freeze": [{"cron": "0 18 * * FRI", "minutes": 60}],
            "after": {"receiver": "plain"},
        },
        "verify": {"scheme": "hmac", "secret": "s-hmac", "header": "x-signature"},
        "registry": {"resolve": False},
        "approval": {"count": 2},
        "respond": "outcome",
        "state": "suspended",
    },
    {
        "name": "listens",
        "driver": "stub",
        "listen": {"inboxes": ["hub"]},
        "match": {"repositories": ["acme/shop"]},
        "registry": {"platforms": ["linux/amd64"], "poll": 900},
    },
    {
        "name": "both",
        "driver": "stub",
        "listen": {"inboxes": ["hub"], "ownUrl": True},
        "match": {"repositories": ["ghcr.io/acme/shop"], "tags": {"include": ["v*"]}},
        "verify": {"scheme": "github", "secret": "s-github"},
    },
]


def test_an_export_has_no_secret_and_changes_nothing(
    run: Run, run_json: RunJson, write: Write
) -> None:
    run("inbox", "create", "--name", "hub", "--format", "dockerhub", "--verify", "none")
    for body in RICH:
        made = run("receiver", "create", "-f", "-", stdin=json.dumps(body))
        assert made.exit_code == 0, made.stderr
    before = run_json("receiver", "list")["data"]
    exports = [run("receiver", "export", "-o", output).stdout for output in ("yaml", "json")]
    for text in exports:
        assert "s-" not in text.replace("semver", "") and HIDDEN not in text
        applied = run("receiver", "apply", "-f", "-", stdin=text)
        names = [str(body["name"]).split()[0] for body in RICH]
        assert sorted(results(applied)) == sorted(["unchanged", name] for name in names)
    assert run_json("receiver", "list")["data"] == before
    one = run("receiver", "export", "rich").stdout
    assert [each["metadata"]["name"] for each in yaml.safe_load_all(one)] == ["rich"]
    labelled = run("receiver", "export", "-l", "team=shop").stdout
    assert labelled == one


def test_an_export_says_only_what_is_not_usual(run: Run, write: Write) -> None:
    run("receiver", "create", "-f", "-", stdin=json.dumps(RICH[1]))
    (found,) = yaml.safe_load_all(run("receiver", "export").stdout)
    assert found["spec"] == {
        "driver": "stub",
        "stubConfig": {},
        "source": {"format": "dockerhub"},
        "match": {"tags": {"policy": "any"}},
        "verify": {"scheme": "none"},
    }


def test_what_somebody_changes_meanwhile_is_not_overwritten(
    run: Run, run_json: RunJson, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write("a.yaml", document("first"), document("second"), document("third"))
    run("receiver", "apply", "-f", file)
    write("a.yaml", *[document(name, **rules("a/b")) for name in ("first", "second", "third")])
    _before_the_second_is_stored(monkeypatch, "second", {"match": {"repositories": ["c/d"]}})
    refused = run("receiver", "apply", "-f", file)
    assert refused.exit_code == 1
    assert "a.yaml, document 2 (second): The receiver is at version 2" in refused.stderr
    assert "Applied before it: first. The rest is as it was" in refused.stderr
    found = {name: stored(run_json, name)["match"]["repositories"] for name in ("second", "third")}
    assert found == {"second": ["c/d"], "third": []}
    monkeypatch.undo()


def test_what_somebody_makes_meanwhile_is_not_overwritten(
    run: Run, run_json: RunJson, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write("a.yaml", document("shop", **rules("a/b")))
    _before_the_second_is_stored(monkeypatch, "shop", None)
    refused = run("receiver", "apply", "-f", file)
    assert refused.exit_code == 1 and "is there already, at version 1" in refused.stderr
    assert stored(run_json, "shop")["match"]["repositories"] == []


def _before_the_second_is_stored(
    monkeypatch: pytest.MonkeyPatch, name: str, change: dict[str, Any] | None
) -> None:
    """Lets somebody else be quicker, who changes the receiver or makes it."""
    original = Client.__init__

    def opened(self: Client, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        apply = self.receivers.apply

        def slow(body: Any, **options: Any) -> Any:
            if body["name"] == name and not options.get("dry_run"):
                if change is None:
                    self.receivers.create({"name": name, "driver": "stub"})
                else:
                    found = self.receivers.find(name)
                    assert found is not None
                    self.receivers.update(found.id, change)
            return apply(body, **options)

        monkeypatch.setattr(self.receivers, "apply", slow)

    monkeypatch.setattr(Client, "__init__", opened)


def test_programs_read_what_became_of_each(run: Run, run_json: RunJson, write: Write) -> None:
    file = write("a.yaml", document())
    (made,) = run_json("receiver", "apply", "-f", file)["data"]
    assert (made["name"], made["result"], made["document"]) == ("shop", "created", 1)
    assert {"field": "driver", "before": None, "after": "stub"} in made["changes"]
    assert "url" not in made, "what runs it often shows its log to many"
    assert run("receiver", "apply", "-f", file, "-o", "name").stdout == ""
