"""The small decisions around a model: what is answered without one, who is asked, what is kept, who is better."""

import json
import os
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pydantic import SecretStr

from player.config import Settings
from player.errors import ModelFailed, ModelMissing, ModelRefused
from player.model import files, pointers, predictor, prior, records, store
from player.model.answering import Answer
from player.model.champion_challenger import Z_90, Comparison, compare
from player.model.fallback import EVERY_MODEL, NO_MODEL, Chain
from player.model.files import put_in_place, read_once, sweep, write_whole
from player.model.pointers import POINTER, Pointer, keep_serial, newest_serial, next_serial, point_to, pointer
from player.model.predictor import FIRST_RETRY, LAST_RETRY, Predictor
from player.model.prior import Prior, find_prior, prior_of, prior_of_table

KEY = SecretStr("9f8e7d6c5b4a39281706f5e4d3c2b1a0")


@pytest.mark.parametrize(
    ("classes", "shares", "answered"),
    [
        ([0, 1], {"0": 0.3, "1": 0.7}, Prior(1, 0.7)),
        ([0, 1], {"0": 0.7, "1": 0.3}, Prior(0, 0.3)),
        (["a", "b", "c"], {"a": 0.2, "b": 0.5, "c": 0.3}, Prior("b", 0.5)),
        ([0, 1], {}, Prior(0, 0.5)),
    ],
    ids=["the second", "the first", "three classes", "nothing known"],
)
def test_the_most_frequent_label_is_answered_like_a_prediction(
    classes: list[Any], shares: dict[str, float], answered: Prior
) -> None:
    """Of two classes the probability is that of the second, whichever is named; else that of the named one."""
    assert answered == prior_of(SimpleNamespace(classes=classes, prior=shares))  # type: ignore[arg-type]


def test_the_label_comes_from_the_nearest_place_that_can_be_read(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The manifests that were asked for, in their order; the newest one; the table; at the very last 0."""
    known = {"b": SimpleNamespace(classes=["b"], prior={"b": 0.9}), "c": SimpleNamespace(classes=["c"], prior={})}
    newest = [SimpleNamespace(classes=["new"], prior={}), SimpleNamespace(classes=["old"], prior={})]
    monkeypatch.setattr(store, "read_manifest", lambda version, _: known[version])
    monkeypatch.setattr(store, "versions", lambda _: newest)
    monkeypatch.setattr(prior, "prior_of_table", lambda _: Prior("table", 0.1))

    assert Prior("b", 0.9) == find_prior(settings, ["a", "b", "c"])
    assert "new" == find_prior(settings, [None, "a"]).pred
    newest.clear()
    assert "table" == find_prior(settings, []).pred
    monkeypatch.setattr(prior, "prior_of_table", lambda _: 1 / 0)
    assert Prior(0, 0.5) == find_prior(settings, ["a"])


@pytest.mark.parametrize(
    ("labels", "answered"),
    [("0 0 1", Prior(0, 1 / 3)), ("1 0 1 1", Prior(1, 0.75)), ("a b b c b", Prior("b", 0.6))],
)
def test_the_table_has_a_most_frequent_label(settings: Settings, labels: str, answered: Prior) -> None:
    """Rows without a label do not count."""
    rows = [f"1,{label}" for label in [*labels.split() * 5, ""]]
    settings.path(settings.data.train).write_text("\n".join(["x,repaid", *rows]), encoding="utf-8")
    found = prior_of_table(settings)

    assert (answered.pred, pytest.approx(answered.proba)) == (found.pred, found.proba)


class Played:
    """A link of the chain that fails for some requests."""

    def __init__(self, version: str, bad: str = "", resting: bool = False) -> None:
        """Fail where a letter of *bad* is asked."""
        self.version, self.bad, self.resting = version, bad, resting
        self.asked: list[str] = []

    def answer(self, raws: Any, degraded: bool = False) -> list[Answer]:
        """Answer with the letter that was asked."""
        letters = "".join(raw["x"] for raw in raws)
        self.asked.append(letters)
        if self.resting or set(letters) & set(self.bad):
            raise ModelFailed("no")
        return [Answer(letter, 1.0, self.version, degraded, []) for letter in letters]


def asked(letters: str, *links: Played, **more: Any) -> tuple[str, Counter[str]]:
    """Return what a chain answers to each letter: the letter, in capitals when degraded; and who was stepped over."""
    steps: Counter[str] = Counter()
    chain = Chain(links, **more)  # type: ignore[arg-type]
    found = chain.ask([{"x": letter} for letter in letters], lambda who, _, count: steps.update({who: count}))
    return "".join(f"{a.pred}".upper() if a.degraded else f"{a.pred}" for a in found), steps


def test_a_bad_row_is_looked_for_by_halves() -> None:
    """The others of a batch keep the current model's answers, in their order; only the bad one goes to the next."""
    first, second = Played("first", bad="c"), Played("second")

    assert ("abCdefg", {"first": 1}) == asked("abcdefg", first, second)
    assert ["abcdefg", "abc", "a", "bc", "b", "c", "defg"] == first.asked
    assert ["c"] == second.asked


def test_a_model_that_rests_is_not_asked_row_by_row() -> None:
    """That would be a question for each of a million rows."""
    tired, second = Played("tired", resting=True), Played("second")

    assert ("ABCD", {"tired": 4}) == asked("abcd", tired, second)
    assert ["abcd"] == tired.asked


def test_an_answer_of_a_fallback_says_so() -> None:
    """Of the second model, of a first one that is itself a fallback, and of the most frequent label."""
    assert ("a", {}) == asked("a", Played("first"))
    assert ("A", {}) == asked("a", Played("first"), degraded=True)
    assert ("A", {"first": 1}) == asked("a", Played("first", bad="a"), Played("second"))
    assert ("0", {EVERY_MODEL: 1}) == asked("a")
    assert ("YESYES", {"first": 2, EVERY_MODEL: 2}) == asked("ab", Played("first", bad="ab"), prior=Prior("yes", 0.5))
    (answer,) = Chain(prior=Prior("yes", 0.25)).ask([{}], lambda *_: None)
    assert Answer("yes", 0.25, NO_MODEL, True, []) == answer


@pytest.mark.parametrize(("size", "is_refused"), [(9, False), (10, False), (11, True)])
def test_a_file_may_be_as_large_as_the_limit(tmp_path: Path, size: int, is_refused: bool) -> None:
    """To the last byte."""
    (tmp_path / "file").write_bytes(b"x" * size)
    if is_refused:
        with pytest.raises(ModelRefused, match="is larger than 10 bytes"):
            read_once(tmp_path / "file", 10)
    else:
        assert size == len(read_once(tmp_path / "file", 10))


@pytest.mark.skipif(os.name != "posix", reason="Windows has other rights")
def test_a_written_file_is_for_its_owner_and_the_group(tmp_path: Path) -> None:
    """A service of the same group reads what its deployer wrote, and nobody else does; nothing else is left there."""
    write_whole(tmp_path / "file", b"one")
    write_whole(tmp_path / "file", b"two")

    assert (b"two", 0o640) == ((tmp_path / "file").read_bytes(), (tmp_path / "file").stat().st_mode & 0o777)
    assert ["file"] == [path.name for path in tmp_path.iterdir()]


@pytest.mark.parametrize(("busy", "is_there"), [(0, True), (49, True), (50, True), (51, False)])
def test_who_reads_the_old_file_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, busy: int, is_there: bool
) -> None:
    """On Windows, a second at most; then it is said."""
    (tmp_path / "new").touch()
    left, slept, real = [busy], [0.0], Path.replace

    def replace(path: Path, target: Path) -> Path:
        if left[0]:
            left[0] -= 1
            raise PermissionError
        return real(path, target)

    monkeypatch.setattr(Path, "replace", replace)
    monkeypatch.setattr(files.time, "sleep", lambda seconds: slept.append(slept.pop() + seconds))
    if is_there:
        put_in_place(tmp_path / "new", tmp_path / "file")
    else:
        with pytest.raises(PermissionError):
            put_in_place(tmp_path / "new", tmp_path / "file")

    assert is_there == (tmp_path / "file").exists()
    assert pytest.approx(0.02 * min(busy, 50)) == slept[0]


@pytest.mark.parametrize(("age", "stays"), [(3500, True), (3700, False)])
def test_what_is_half_written_is_swept_away_after_an_hour(tmp_path: Path, age: int, stays: bool) -> None:
    """Before that somebody may still be writing it; whole files stay however old they are."""
    for name in (".a.json.x1", "a.json"):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    sweep(tmp_path)

    assert (stays, True) == ((tmp_path / ".a.json.x1").exists(), (tmp_path / "a.json").exists())


@pytest.fixture(name="keyed")
def _keyed(settings: Settings) -> Settings:
    """Settings with a key, so that the newest change is kept beside it."""
    store.folder(settings).mkdir(parents=True)
    return settings.model_copy(update={"signing_key": KEY})


def test_a_change_has_a_higher_number_than_any_before(keyed: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time, or one more than the newest that is known, where the clock went back."""
    monkeypatch.setattr(pointers.time, "time", lambda: 500.9)

    assert 500 == next_serial(None, keyed)
    assert (500, 500, 501) == tuple(next_serial(Pointer(old, "a", None), keyed) for old in (1, 499, 500))
    keep_serial(600, keyed)
    assert 601 == next_serial(Pointer(500, "a", None), keyed)


def test_the_newest_number_never_goes_down(keyed: Settings) -> None:
    """Whoever comes later with an older one; what is no number is not taken for 0."""
    assert 0 == newest_serial(keyed)
    for serial, kept in ((7, 7), (5, 7), (9, 9)):
        keep_serial(serial, keyed)
        assert kept == newest_serial(keyed)
    keyed.path(keyed.model.serial_file).write_text("seven", encoding="utf-8")
    with pytest.raises(ModelRefused, match="holds no number"):
        newest_serial(keyed)


def test_an_old_pointer_that_was_put_back_is_refused(keyed: Settings) -> None:
    """Its signature is good; the number beside the key says that there was a newer one. The newest itself is fine."""
    place = store.folder(keyed) / POINTER
    point_to(Pointer(7, "old", None, ("bad",)), keyed)
    before = place.read_bytes()
    assert ("bad",) == pointers.revoked(keyed)
    point_to(Pointer(8, "new", "old"), keyed)
    assert "new" == getattr(pointer(keyed), "current", None)

    place.write_bytes(before)
    with pytest.raises(ModelRefused, match=r"change 7, the newest was 8"):
        pointer(keyed)
    assert (None, ()) == (pointers.readable_pointer(keyed), pointers.revoked(keyed))


def test_without_a_key_no_number_is_kept(keyed: Settings) -> None:
    """As in development: an old pointer cannot be told from a new one there."""
    point_to(Pointer(7, "old", None), keyed.model_copy(update={"signing_key": None}))

    assert not keyed.path(keyed.model.serial_file).exists()


def test_a_gate_was_passed_by_the_same_bytes_alone(keyed: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a record that was approved and that nobody has changed."""
    monkeypatch.setattr(records, "fingerprint", lambda manifest: manifest)
    good = {"outcome": records.APPROVED, "manifest_sha256": "mine", "gates": [{"gate": "trial", "passed": True}]}
    assert not records.passed("trial", "mine", keyed)  # type: ignore[arg-type]
    for change in (
        {"outcome": records.REFUSED},
        {"outcome": records.WAITS},
        {"manifest_sha256": "other"},
        {"gates": [{"gate": "trial", "passed": False}]},
        {"gates": [{"gate": "other", "passed": True}]},
    ):
        records.append(keyed, {**good, **change})
        assert not records.passed("trial", "mine", keyed), change  # type: ignore[arg-type]
    line = {"record": good, "signature": "0" * 128}
    with records.path_of(keyed).open("a", encoding="utf-8") as file:
        file.write(f"{json.dumps(line)}\nno record\n")
    assert not records.passed("trial", "mine", keyed), "forged"  # type: ignore[arg-type]
    records.append(keyed, {"outcome": records.APPROVED, "manifest_sha256": "mine"})
    records.append(keyed, {**good, "gates": [{"gate": "other", "passed": False}, *good["gates"]]})
    assert records.passed("trial", "mine", keyed)  # type: ignore[arg-type]


def right(text: str) -> np.ndarray:
    """Return which rows a model had right, one letter a row."""
    return np.array([letter == "+" for letter in text], dtype=bool)


def test_two_models_are_compared_where_they_differ() -> None:
    """The interval of Bonett and Price (2012), by hand: 3 rows won, 1 lost, of 10."""
    found = compare(right("+----+++++"), right("-+++-+++++"))
    won, lost = 4 / 12, 2 / 12
    margin = Z_90 * ((won + lost - (won - lost) ** 2) / 12) ** 0.5

    assert (10, 6, 8) == (found.rows, found.champion, found.challenger)
    assert (won - lost - margin, won - lost + margin) == pytest.approx((found.low, found.high))
    assert 0.2 == pytest.approx(found.difference)
    assert not found.better
    assert "8 points, the champion 6: +20.0 points in 100 (90 % interval -" in found.sentence


def test_which_model_is_called_the_challenger_matters() -> None:
    """Turned round it is as much worse as it was better."""
    one, other = right("+" * 60 + "-" * 40), right("-" * 2 + "+" * 98)
    there, back = compare(one, other), compare(other, one)

    assert (there.better, back.better) == (True, False)
    assert (-there.high, -there.low, -there.difference) == pytest.approx((back.low, back.high, back.difference))


@pytest.mark.parametrize(("low", "better"), [(0.0, False), (1e-9, True), (-0.1, False)])
def test_better_means_beyond_doubt(low: float, better: bool) -> None:
    """Nothing at all is not better; without rows there is no difference."""
    assert better is Comparison(10, 5, 6, low, 0.5).better
    assert 0.0 == Comparison(0, 0, 0, low, 0.5).difference


class Follower(Predictor):
    """A predictor that only notes which pointers it would take over."""

    def __init__(self, settings: Settings, serial: int, degraded: bool) -> None:
        """Answer with the change of this number."""
        super().__init__(settings)
        self.taken: list[int] = []
        self.chain = Chain(serial=serial, degraded=degraded)

    def take_over(self, pointer: store.Pointer) -> None:
        """Note it."""
        self.taken.append(pointer.serial)


@pytest.mark.parametrize(
    ("serial", "degraded", "now", "is_taken"),
    [
        (8, False, 0.0, True),
        (8, True, 0.0, True),
        (7, False, 99.0, False),
        (7, True, 9.9, False),
        (7, True, 10.0, True),
    ],
    ids=["news", "news while degraded", "no news", "refused just now", "refused some time ago"],
)
def test_a_pointer_is_followed_when_it_is_news_or_when_it_is_time(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, serial: int, degraded: bool, now: float, is_taken: bool
) -> None:
    """A model that was refused may have become good: a library was installed, a file came back."""
    one = Follower(settings, 7, degraded)
    one.retry_at, one.reason = 10.0, "as before"
    monkeypatch.setattr(predictor, "time", SimpleNamespace(monotonic=lambda: now))
    monkeypatch.setattr(store, "pointer", lambda _: Pointer(serial, "a", None))
    one.look()

    assert ([serial] if is_taken else []) == one.taken
    assert ("" if not is_taken and not degraded else "as before") == one.reason


def test_a_refused_model_is_tried_again_less_and_less_often(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each try costs a trial; after a good one it begins anew. Meanwhile the most frequent label is told apart."""
    now = [100.0]
    monkeypatch.setattr(predictor, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(predictor, "find_prior", lambda _, versions: Prior(versions, 0.5))
    one = Predictor(settings)
    monkeypatch.setattr(one, "take", lambda _: None)
    waits = []
    for _ in range(8):
        one.take_over(Pointer(7, "a", "b"))
        waits.append(one.retry_at - now[0])

    assert [10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 600.0, 600.0] == waits
    assert (FIRST_RETRY, LAST_RETRY) == (waits[0], waits[-1])
    assert (7, True, Prior(("a", "b"), 0.5)) == (one.chain.serial, one.chain.degraded, one.chain.prior)


@pytest.mark.parametrize("found", [None, Pointer(6, "a", None), OSError("odd")])
def test_a_pointer_that_cannot_be_followed_changes_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, found: Any
) -> None:
    """There is none, it went back, or it cannot be read: the reason is remembered, and the model before serves on."""

    def look(_: Settings) -> Any:
        if isinstance(found, Exception):
            raise found
        return found

    one = Follower(settings, 7, False)
    monkeypatch.setattr(store, "pointer", look)
    one.look()
    one.reload()

    assert [] == one.taken
    assert one.reason in (
        "testing has no model yet; run `player train`.",
        "The pointer to the current model went back to change 6; it is ignored.",
        "The model could not be loaded (OSError).",
    )


def test_who_has_no_model_says_so(settings: Settings) -> None:
    """Version, classes and schema of nothing."""
    one = Predictor(settings)

    assert (NO_MODEL, [], None, []) == (one.version, one.classes, one.schema, one.answer_many([]))
    assert {"model": NO_MODEL, "degraded": True, "reason": "no model was loaded yet", "steps_down": {}} == one.status()
    with pytest.raises(ModelMissing):
        store.current_manifest(settings)
