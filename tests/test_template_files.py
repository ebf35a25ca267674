"""The raw template, before anything is generated."""

import ast
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from conftest import FOLDER, ROOT

QUESTIONS: dict[str, Any] = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
VERBATIM = QUESTIONS["_copy_without_render"]
RESERVED = re.compile(r"^(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)


def files(template: Path, pattern: str = "*") -> list[Path]:
    """Return the files below the template folder that match, sorted."""
    return sorted(path for path in (template / FOLDER).rglob(pattern) if path.is_file())


def test_python_parses_and_holds_no_jinja(template: Path) -> None:
    """Every Python file is ordinary Python before rendering."""
    for path in files(template, "*.py"):
        text = path.read_text(encoding="utf-8")

        ast.parse(text, str(path))
        assert "cookiecutter" not in text, path


def test_verbatim_folders_name_no_template_variable(template: Path) -> None:
    """What is copied as it is does not wait for an answer."""
    for folder in VERBATIM:
        for path in (template / FOLDER / folder).rglob("*"):
            if path.is_file():
                assert b"cookiecutter." not in path.read_bytes(), path


def test_data_files_parse_before_rendering(template: Path) -> None:
    """TOML, YAML and JSON are valid in place, so that tools read their settings there."""
    for path in files(template):
        text = path.read_text(encoding="utf-8") if path.suffix in {".toml", ".yml", ".yaml", ".json", ".ipynb"} else ""
        if path.suffix == ".toml":
            tomllib.loads(text)
        elif path.suffix in {".yml", ".yaml"}:
            list(yaml.safe_load_all(text))
        elif text:
            json.loads(text)


def test_paths_are_legal_on_windows(template: Path) -> None:
    """Git can check out every path on Windows, also below a long folder of the user's."""
    for path in files(template):
        for part in path.relative_to(template).parts:
            assert not set(part) & set('<>:"|?*\\'), path
            assert not RESERVED.match(part), path
            assert part == part.rstrip(". "), path
        assert len(str(path.relative_to(template))) < 120, path


def test_every_question_has_a_sentence() -> None:
    """No question is asked by its bare name, and no text vanishes as markup."""
    asked = [name for name in QUESTIONS if not name.startswith("_")]
    prompts = QUESTIONS["__prompts__"]

    assert asked == list(prompts)
    assert len(asked) <= 7
    for name, prompt in prompts.items():
        sentences = prompt.values() if isinstance(prompt, dict) else [prompt]
        assert not any(set("[]") & set(sentence) for sentence in sentences), name
        if isinstance(prompt, dict):
            assert set(QUESTIONS[name]) == set(prompt) - {"__prompt__"}


@pytest.mark.parametrize("name", ["pre_gen_project.py", "post_gen_project.py"])
def test_hooks_are_small_and_need_nothing(name: str) -> None:
    """A hook runs in any Python: short, ASCII, nothing imported but the standard library."""
    text = (ROOT / "hooks" / name).read_text(encoding="utf-8")
    imports = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {alias.name for node in imports if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in imports if isinstance(node, ast.ImportFrom)}

    assert len(text.splitlines()) < 40
    assert text.isascii()
    assert names <= {"sys", "keyword"}
    assert re.findall(r"cookiecutter\.(\w+)", text) == ["project_slug"]


def pins(text: str) -> dict[str, str]:
    """Return name -> version of every `name==version` in *text*."""
    return dict(re.findall(r"\b([A-Za-z0-9][\w.-]*?)==([\w.]+)", text))


def workflows() -> list[Path]:
    """Return the workflows of GitHub, the template's and the project's."""
    return [path for folder in (ROOT, ROOT / FOLDER) for path in sorted(folder.glob(".github/workflows/*.yml"))]


def test_versions_agree_everywhere() -> None:
    """One package has one version, whichever file names it."""
    seen: dict[str, str] = {}
    names = ("constraints.txt", ".pre-commit-config.yaml", "Makefile", "tox.ini", ".gitlab-ci.yml")
    for path in [*(folder / name for folder in (ROOT, ROOT / FOLDER) for name in names), *workflows()]:
        for package, version in pins(path.read_text(encoding="utf-8")).items():
            assert seen.setdefault(package, version) == version, f"{package} in {path}"


def test_an_action_is_one_commit_everywhere() -> None:
    """Every workflow names an action by a whole commit, and all of them by the same one."""
    seen: dict[str, str] = {}
    for path in workflows():
        for action, commit in re.findall(r"uses: ([\w/-]+)@(\S+)", path.read_text(encoding="utf-8")):
            assert re.fullmatch("[0-9a-f]{40}", commit), f"{action} in {path}"
            assert seen.setdefault(action, commit) == commit, f"{action} in {path}"


def test_build_servers_only_call_tox() -> None:
    """A build server runs what a person can run: tox; beside it only its installation and the push of a branch."""
    install, push = r"python -m pip install tox==[\w.]+ tox-uv==[\w.]+", "git push .*:template-update"
    allowed = re.compile(rf"{install}|tox( -e [\w,]+)?|{push}")
    for path in workflows():
        for job in yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values():
            for command in filter(None, (step.get("run") for step in job["steps"])):
                assert allowed.fullmatch(command), f"{command} in {path}"


@pytest.mark.parametrize("name", ["constraints.txt", f"{FOLDER}/constraints.txt"])
def test_constraints_hold_names_and_versions_only(name: str) -> None:
    """No address of a package index is written down: an organisation has its own."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()

    assert [line for line in lines if not re.fullmatch(r"[a-z0-9-]+==[\w.]+( ; [\w .<>=!'()-]+)?", line)] == []


def test_actions_are_pinned_by_digest() -> None:
    """A tag can be moved to other code; a commit cannot. The tag stands beside it, for people."""
    files = [path for folder in (ROOT, ROOT / FOLDER) for path in (folder / ".github" / "workflows").glob("*.yml")]
    used = [line.strip() for path in files for line in path.read_text(encoding="utf-8").splitlines() if "uses:" in line]
    pinned = r"(- )?uses: ([\w./-]+@[0-9a-f]{40} # v\d+(\.\d+)*|\./.*)"

    assert len(used) > 1
    assert [line for line in used if not re.fullmatch(pinned, line)] == []


# What the rest of the player may ask of the two modules that a participant keeps when the project is updated. Add to it
# only what a copy of the first template has as well.
KEPT = {
    "player.features": set("Schema as_given clean clean_table read_schema to_table".split()),
    "player.training": set("EXAMPLES RANDOM_STATE Trained as_classes as_rows build_pipeline in_time_order plain "
                           "read_labels read_table served_proba train".split()),
}  # fmt: skip


def test_the_participants_own_modules_can_be_older_than_the_rest() -> None:
    """No other module needs more of features.py and training.py than a project generated long ago has in them."""
    found: dict[str, set[str]] = {name: set() for name in KEPT}
    for path in sorted((ROOT / FOLDER / "player").rglob("*.py")):
        if path.name in ("features.py", "training.py"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module in KEPT:
                found[node.module] |= {alias.name for alias in node.names}
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "training":
                found["player.training"].add(node.attr)

    assert all(found.values())
    assert {name: asked - KEPT[name] for name, asked in found.items()} == {name: set() for name in KEPT}


def test_a_new_project_is_one_of_which_its_tests_ask_everything() -> None:
    """What `older.py` among them looks for is in the newest modules: they are lenient only after an update."""
    player = ROOT / FOLDER / "player"
    training, features = ((player / name).read_text(encoding="utf-8") for name in ("training.py", "features.py"))

    assert "from player.learning import fitting" in training
    assert training.count("fitting.fit(build_pipeline, ") == 3
    assert "    left_out: dict[str, str]" in features


def test_no_module_asks_more_of_a_schema_than_the_first_projects_have() -> None:
    """Their own features.py, with the class in it, stays when the rest is updated."""
    had = {"features", "from_dict", "label", "names", "to_dict", "unavailable"}
    asked: set[str] = set()
    for path in (ROOT / FOLDER / "player").rglob("*.py"):
        if path.name not in ("features.py", "training.py"):
            asked |= set(re.findall(r"\bschema\.(\w+)", path.read_text(encoding="utf-8")))

    assert {"features", "names"} <= asked <= had
