"""Who got one foot in gets no step further: one environment's models, the API key, the address of the shadow."""

import hashlib
import json
import pickle
import secrets
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Any, ClassVar

import pytest
from click.testing import CliRunner
from conftest import KEYS
from flask import Flask

from player.app import create_app
from player.cli import main
from player.config import Settings, load_settings
from player.errors import PlayerError
from player.model import records, saving, store
from player.promotion import gates
from player.storage import queries
from player.storage.migrations import upgrade
from player.training import Trained
from player.web import shadow
from player.web.shadow import COPIES, Shadow
from tests.service import wait_until

STAGES = ("development", "testing", "acceptance", "production")
REPLACED = b"".join(pickle.dumps(["not", "a", "model", number]) for number in range(3))


@pytest.fixture(name="stages")
def _stages(home: Path, monkeypatch: pytest.MonkeyPatch, trained: Trained) -> dict[str, Settings]:
    """All four environments with keys of their own; each has an older and a current model, signed there."""
    (home / "keys").mkdir()
    for stage in STAGES:
        for kind in ("signing", "api"):
            path = home / "keys" / f"{stage}-{kind}.key"
            path.write_text(secrets.token_hex(32), encoding="utf-8")
            path.chmod(0o600)
    for kind in ("SIGNING", "API"):
        monkeypatch.setenv(f"PLAYER_{kind}_KEY_FILE", str(home / "keys" / f"{{environment}}-{kind.lower()}.key"))
    (home / "test_small.py").write_text("def test_it():\n    assert True\n", encoding="utf-8")
    monkeypatch.setattr(gates, "UNIT_TESTS", ("test_small.py",))
    settings = {stage: load_settings(stage) for stage in STAGES}
    monkeypatch.setattr(
        "player.model.loading.try_model", lambda *_: None
    )  # each is tried elsewhere; here it takes long
    for stage in settings.values():
        for name, each in (("older", older(trained)), ("newest", trained)):
            store.activate(saving.save(each, stage).version, stage)
            shutil.copy(store.folder(stage) / store.POINTER, home / f"{stage.environment}-{name}.pointer")
    return settings


def older(trained: Trained) -> Trained:
    """Return the same model in other bytes: two models of the same bytes and the same second would have one name."""
    pipeline = pickle.loads(pickle.dumps(trained.pipeline))
    pipeline.verbose = True
    return replace(trained, pipeline=pipeline)


def files_of(settings: Settings) -> dict[str, Path]:
    """Return the files of the current model of an environment, by what they are."""
    folder, found = store.folder(settings), store.pointer(settings)
    assert found is not None
    kinds = {"pickle": "pkl", "manifest": "json", "signature": "sig", "receipt": "tried"}
    return {"pointer": folder / store.POINTER} | {
        kind: folder / f"{found.current}.{end}" for kind, end in kinds.items()
    }


def another(settings: Settings) -> Settings:
    """Return the environment beside this one."""
    return load_settings("testing" if settings.environment != "testing" else "development")


def own_pickle(settings: Settings) -> None:
    """Put another pickle in the place of the current one."""
    files_of(settings)["pickle"].write_bytes(REPLACED)


def own_model(settings: Settings) -> None:
    """Put another pickle there, and a manifest that has its hash."""
    files = files_of(settings)
    manifest = json.loads(files["manifest"].read_text(encoding="utf-8"))
    manifest |= {"sha256": hashlib.sha256(REPLACED).hexdigest(), "size": len(REPLACED)}
    own_pickle(settings)
    files["manifest"].write_text(json.dumps(manifest), encoding="utf-8")


def unsigned(settings: Settings) -> None:
    """The same, and take the signature away."""
    own_model(settings)
    files_of(settings)["signature"].unlink()


def own_receipt(settings: Settings) -> None:
    """The same, with a receipt that says that its trial was passed."""
    own_model(settings)
    files_of(settings)["receipt"].write_bytes(hashlib.sha256(REPLACED).hexdigest().encode() + b"\n")


def foreign(settings: Settings) -> None:
    """Bring the files of another environment, each signed there."""
    files = files_of(settings)
    for kind, path in files_of(another(settings)).items():
        shutil.copy(path, files["pointer"] if kind == "pointer" else store.folder(settings) / path.name)


def foreign_signature(settings: Settings) -> None:
    """Say that it was signed, with what was signed elsewhere."""
    own_model(settings)
    shutil.copy(files_of(another(settings))["signature"], files_of(settings)["signature"])


def old_pointer(settings: Settings) -> None:
    """Put the pointer back that was true before, signature and all."""
    shutil.copy(settings.home / f"{settings.environment}-older.pointer", files_of(settings)["pointer"])


def own_pointer(settings: Settings) -> None:
    """Point to a model of one's own, with a number that is higher than any."""
    pointer = {"serial": 2**40, "current": "20300101-000000-abcdef01", "previous": None, "signature": ""}
    files_of(settings)["pointer"].write_text(json.dumps(pointer), encoding="utf-8")


def own_record(settings: Settings) -> None:
    """Write down that a model of one's own was approved."""
    own_model(settings)
    record = {"outcome": records.APPROVED, "sha256": hashlib.sha256(REPLACED).hexdigest(), "version": "x", "who": "ann",
              "why": "", "gates": []}  # fmt: skip
    (store.folder(settings) / records.FILE).write_text(
        json.dumps({"record": record, "signature": ""}), encoding="utf-8"
    )


def cut(settings: Settings) -> None:
    """Leave half of each file."""
    for path in files_of(settings).values():
        if path.exists():
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


HARMS: list[Callable[[Settings], None]] = [own_pickle, own_model, unsigned, own_receipt, foreign, foreign_signature,
                                           old_pointer, own_pointer, own_record, cut]  # fmt: skip


@pytest.mark.parametrize("harm", HARMS, ids=lambda harm: harm.__name__)
@pytest.mark.parametrize("stage", STAGES)
def test_write_access_to_one_folder_ends_there(
    stages: dict[str, Settings], stage: str, harm: Callable[[Settings], None]
) -> None:
    """Nothing of one's own runs there, nor goes to the next stage; the refusal is one sentence."""
    here = stages[stage]
    newest = {each: store.pointer(settings) for each, settings in stages.items()}
    good = {path.read_bytes() for each in stages.values() for path in store.folder(each).glob("*.pkl")}
    harm(here)
    said = ""
    try:
        found = store.pointer(here)
        assert found == newest[stage]
        assert found is not None
        _, data = store.verify(found.current, here)
    except PlayerError as refusal:
        said = str(refusal)
    else:
        assert data in good - {REPLACED}
    assert "\n" not in said

    following = STAGES[STAGES.index(stage) + 1] if stage != "production" else ""
    moved = CliRunner().invoke(main, ["promote", following, "--reason", "a release"]) if following else None

    assert moved is None or "Traceback" not in moved.output
    for other in set(STAGES) - {stage}:
        assert REPLACED not in {path.read_bytes() for path in store.folder(stages[other]).glob("*.pkl")}
        assert other == following or store.pointer(stages[other]) == newest[other]
    if said and following:
        assert moved is not None
        assert moved.exit_code == 1
        assert store.pointer(stages[following]) == newest[following]


def with_key(settings: Settings) -> dict[str, str]:
    """Return the header with the API key of an environment."""
    assert settings.api_key is not None
    return {"Authorization": f"Bearer {settings.api_key.get_secret_value()}"}


Serve = Callable[[str], Flask]


@pytest.fixture(name="serve")
def _serve(stages: dict[str, Settings]) -> Iterator[Serve]:
    """Call it with a stage to have the application of that one."""
    apps = []

    def serve(stage: str) -> Flask:
        upgrade(stages[stage])
        apps.append(create_app(stages[stage]))
        return apps[-1]

    yield serve
    for app in apps:
        app.extensions["player"].stop()


def files_in(settings: Settings) -> dict[Path, bytes]:
    """Return the content of each file among the models and the keys, of all environments."""
    folders = [store.folder(settings).parent, settings.home / "keys"]
    return {path: path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("stage", STAGES)
def test_the_api_key_changes_nothing_but_labels(serve: Serve, stages: dict[str, Settings], stage: str) -> None:
    """No route takes anything beside questions and labels, so no key can bring in, choose or reload a model."""
    app = serve(stage)
    taking = {rule.endpoint for rule in app.url_map.iter_rules() if rule.methods - {"GET", "HEAD", "OPTIONS"}}
    before = files_in(stages[stage])
    client = app.test_client()
    paths = [rule.rule for rule in app.url_map.iter_rules() if not rule.arguments]
    said = [client.open(path, method=method, headers=with_key(stages[stage]), json={}).status_code
            for path in paths for method in ("POST", "PUT", "PATCH", "DELETE")]  # fmt: skip

    assert {"api.predict", "api.feedback"} == taking
    assert not [status for status in said if status >= 500]
    assert before == files_in(stages[stage])


WAYS_OUT = ["../", "..%2f", "%2e%2e/", "..%5c", "....//", "/"]


@pytest.mark.parametrize("stage", STAGES)
def test_the_api_key_reads_no_file_of_the_project(serve: Serve, stages: dict[str, Settings], stage: str) -> None:
    """Neither a key nor a model nor a row of the database, whichever name a page is asked for."""
    settings, app = stages[stage], serve(stage)
    client, kept = app.test_client(), [content for content in files_in(settings).values() if len(content) > 30]
    named = [rule for rule in app.url_map.iter_rules() if rule.arguments]
    wanted = [f"keys/{stage}-signing.key", f"models/{stage}/{store.POINTER}", f"output/{stage}.db", "etc/passwd"]
    asked = [rule.rule.partition("<")[0] + 9 * way + file for rule in named for way in WAYS_OUT for file in wanted]
    answers = [client.get(path, headers=with_key(settings), follow_redirects=True) for path in asked]

    assert named
    for answer in answers:
        body = answer.get_data()
        assert not [content for content in kept if content in body]
        assert b"SQLite format 3" not in body
        assert b"root:" not in body
        assert answer.status_code < 500


@pytest.mark.parametrize("other", STAGES)
@pytest.mark.parametrize("stage", ["acceptance", "production"])
def test_the_key_of_another_stage_opens_nothing(
    serve: Serve, stages: dict[str, Settings], stage: str, other: str
) -> None:
    """Where a key is needed each environment has its own; a signing key, its own too, is no API key either."""
    client, signing = serve(stage).test_client(), stages[other].signing_key
    assert signing is not None
    headers = [{"Authorization": f"Bearer {signing.get_secret_value()}"}]
    headers += [with_key(stages[other])] if other != stage else []
    for header in headers:
        asked = [client.get(path, headers=header).status_code for path in ("/metrics", "/dashboard")]
        assert [401, 401, 401] == [*asked, client.post("/feedback", json=[], headers=header).status_code]
    assert 200 == client.get("/metrics", headers=with_key(stages[stage])).status_code


class Hostile(BaseHTTPRequestHandler):
    """Stands where the shadow should: answers as it likes."""

    protocol_version = "HTTP/1.1"
    seen: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        """Send the client elsewhere, or give it more than it can hold."""
        self.rfile.read(int(self.headers["Content-Length"]))
        Hostile.seen.append(self.path)
        if len(Hostile.seen) % 2:
            self.send_response(302)
            self.send_header("Location", "/feedback")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Length", str(10**12))
        self.end_headers()
        try:
            while True:
                self.wfile.write(b"x" * 1_000_000)
                Hostile.seen.append("more")
        except OSError:
            self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def test_who_stands_where_the_shadow_should_gets_copies_and_no_more(
    model_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is sent questions and nothing else; no redirect is followed, no endless answer read to its end."""
    monkeypatch.setattr(shadow, "PAUSE_SECONDS", 0.01)
    Hostile.seen = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hostile)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    failed = COPIES.labels("failed")._value.get()
    copied = Shadow(f"http://127.0.0.1:{server.server_address[1]}", model_settings.contract)
    copied.start()
    for number in range(4):
        copied.mirror(str(number), {"age": number})
    wait_until(lambda: COPIES.labels("failed")._value.get() == failed + 4)
    copied.stop()
    server.shutdown()
    server.server_close()

    assert {"/api", "more"} == set(Hostile.seen)
    assert Hostile.seen.count("more") < 100  # what fits into the buffers between the two


SAYS = {
    "another answer": b'HTTP/1.1 200 OK\r\nContent-Length: 27\r\n\r\n{"pred": 1, "proba": 0.999}',
    "a label": b'HTTP/1.1 200 OK\r\nContent-Length: 35\r\n\r\n{"request_id": "asked", "label": 1}',
    "a question for a key": b"HTTP/1.1 401 No\r\nWWW-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n",
    "no HTTP": b"\x00\xff" * 100,
    "a header without an end": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000,
    "nothing": b"",
}


@pytest.mark.parametrize("says", SAYS.values(), ids=SAYS.keys())
def test_what_the_shadow_says_changes_no_answer(
    model_settings: Settings, monkeypatch: pytest.MonkeyPatch, says: bytes
) -> None:
    """Whoever has its address is told no key, changes no prediction and brings no label."""
    got: list[bytes] = []

    class Stranger(StreamRequestHandler):
        def handle(self) -> None:
            """Read the whole question, then say it."""
            head = b"".join(iter(self.rfile.readline, b"\r\n"))
            length = next(line for line in head.splitlines() if line.lower().startswith(b"content-length"))
            got.append(head + self.rfile.read(int(length.split()[1])))
            self.wfile.write(says)

    server = ThreadingTCPServer(("127.0.0.1", 0), Stranger)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(shadow, "PAUSE_SECONDS", 0.01)
    monkeypatch.setenv("PLAYER_API_KEY", KEYS["PLAYER_API_KEY"])
    answers = []
    for url in ("", f"http://127.0.0.1:{server.server_address[1]}"):
        monkeypatch.setenv("PLAYER_SHADOW__URL", url)
        settings = load_settings("testing")
        app = create_app(settings)
        asked = {"request_id": f"asked {bool(url)}", "features": {"age": 42}}
        with app.test_client().post("/api", json=asked, headers=with_key(settings)) as answer:
            answers.append({**answer.get_json(), "request_id": ""})
        wait_until(lambda url=url: bool(got) or not url)
        app.extensions["player"].writer.ship()
        stored = queries.recent(app.extensions["player"].engine, 10)
        app.extensions["player"].stop()
    server.shutdown()
    server.server_close()

    assert answers[0] == answers[1]
    assert [None, None] == stored["label"].tolist()
    assert KEYS["PLAYER_API_KEY"].encode() not in b"".join(got)
    assert b"authorization" not in b"".join(got).lower()
