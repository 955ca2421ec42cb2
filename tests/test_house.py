"""The rules of the house that a machine can hold. Each test lists every place that breaks its rule."""

from __future__ import annotations

import ast
import functools
import io
import os
import re
import tokenize
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).parent.parent
FLOORS = ("api", "resolvers", "domain")
PRODUCT = (*FLOORS, "simulators")
PYTHON = (*PRODUCT, "migrations", "tests")

MAY_CATCH_ALL = {"api/pricing.py": "one line of a stream never ends the stream: its answer says `internal`"}
"""Files that may catch every exception, and why they can answer it."""

GENERATED = {".git", ".venv", ".hypothesis", "__pycache__", "build", "dist", "node_modules", "var"}
FOREIGN = ("/" + "work/", "/" + "root/")


class Module(NamedTuple):
    path: str
    text: str
    tree: ast.Module

    def nodes(self) -> Iterator[ast.AST]:
        return ast.walk(self.tree)

    def comments(self) -> Iterator[tuple[int, str]]:
        for token in tokenize.generate_tokens(io.StringIO(self.text).readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string


@functools.cache
def modules(*folders: str) -> tuple[Module, ...]:
    paths = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    texts = ((path.relative_to(ROOT).as_posix(), path.read_text("utf-8")) for path in paths)
    return tuple(Module(path, text, ast.parse(text, path)) for path, text in texts)


def places(folders: Iterable[str], breaks: Callable[[ast.AST], object], but: Iterable[str] = ()) -> list[str]:
    """Where in these folders a node breaks a rule."""
    found = ((module.path, node) for module in modules(*folders) for node in module.nodes() if breaks(node))
    return [f"{path}:{getattr(node, 'lineno', 0)}" for path, node in found if path not in but]


def imports(module: Module) -> Iterator[ast.Import | ast.ImportFrom]:
    return (node for node in module.nodes() if isinstance(node, (ast.Import, ast.ImportFrom)))


def nowhere(found: Iterable[str]) -> None:
    __tracebackhide__ = True
    listed = "\n".join(sorted(found))
    assert not listed, f"\n{listed}"


def words(node: ast.AST) -> set[str]:
    """The names that one node itself uses."""
    if isinstance(node, ast.Name):
        return {node.id}
    if isinstance(node, ast.Attribute):
        return {node.attr}
    if isinstance(node, ast.alias):
        return {node.name}
    return set()


def dotted(node: ast.AST) -> str:
    return ast.unparse(node) if isinstance(node, (ast.Name, ast.Attribute)) else ""


# --- what is where ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "LICENSE", "uv.lock"])
def test_the_front_door_has_its_papers(name: str) -> None:
    assert (ROOT / name).read_text("utf-8").strip()


def test_ci_runs_commands_of_the_readme() -> None:
    assert os.access(ROOT / ".ci/run", os.X_OK)
    commands = re.findall(r"^make \w+", (ROOT / ".ci/run").read_text(), re.MULTILINE)
    assert commands == ["make check", "make test", "make browser"]
    assert all(command in (ROOT / "README.md").read_text("utf-8") for command in commands)


def test_no_file_outgrows_three_hundred_lines() -> None:
    nowhere(module.path for module in modules(*PYTHON) if len(module.text.splitlines()) > 300)


def test_every_module_says_what_it_is() -> None:
    nowhere(module.path for module in modules(*PRODUCT) if not ast.get_docstring(module.tree))


def test_every_package_says_in_six_lines_what_it_owns() -> None:
    faces = (module for module in modules("domain") if module.path.endswith("/__init__.py"))
    nowhere(face.path for face in faces if len((ast.get_docstring(face.tree) or "").splitlines()) > 6)


def test_nothing_is_named_after_nothing() -> None:
    vague = {"base", "common", "helper", "helpers", "misc", "util", "utils"}
    nowhere(module.path for module in modules(*PYTHON) if vague & {*Path(module.path).with_suffix("").parts})


def test_decisions_are_numbered_without_gaps_and_fit_a_glance() -> None:
    decisions = sorted((ROOT / "docs/decisions").glob("*.md"))
    assert [path.name[:5] for path in decisions] == [f"{number:04}-" for number in range(1, len(decisions) + 1)]
    lengths = {path.name: len(path.read_text("utf-8").splitlines()) for path in decisions}
    assert {name: length for name, length in lengths.items() if not 10 <= length <= 40} == {}
    assert decisions


def test_no_text_knows_the_machine_it_was_written_on() -> None:
    def texts() -> Iterator[tuple[str, str]]:
        for folder, below, files in os.walk(ROOT):
            below[:] = [name for name in below if name not in GENERATED and not name.endswith("_cache")]
            for path in (Path(folder, name) for name in files if name not in GENERATED):
                raw = path.read_bytes()
                if b"\0" not in raw:
                    yield path.relative_to(ROOT).as_posix(), raw.decode("utf-8", "replace")

    nowhere(name for name, text in texts() if any(word in text for word in FOREIGN))


# --- who knows whom -----------------------------------------------------------------------------------------------


def test_imports_go_down_and_floors_hold(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    broken = lint_imports(no_cache=True, no_logo=True)
    assert not broken, capsys.readouterr().out


def test_a_package_of_the_domain_is_entered_through_its_face() -> None:
    def around(module: Module) -> Iterator[str]:
        for node in imports(module):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            for parts in (name.split(".") for name in names):
                if parts[0] == "domain" and len(parts) > 2 and not module.path.startswith(f"domain/{parts[1]}/"):
                    yield f"{module.path}:{node.lineno} {'.'.join(parts)}"

    nowhere(place for module in modules(*FLOORS) for place in around(module))


def test_imports_stand_at_the_top() -> None:
    def hides_an_import(node: ast.AST) -> bool:
        inner = ast.walk(node) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) else ()
        return any(isinstance(part, (ast.Import, ast.ImportFrom)) for part in inner)

    nowhere(places((*PRODUCT, "migrations"), hides_an_import))


def test_no_import_is_for_the_type_checker_alone() -> None:
    nowhere(places((*PRODUCT, "migrations"), lambda node: "TYPE_CHECKING" in words(node)))


def test_tables_know_each_other_by_id_only() -> None:
    lazy = {"Relationship", "relationship", "selectinload", "joinedload", "subqueryload"}
    nowhere(places(FLOORS, lambda node: lazy & words(node)))


# --- how it is written --------------------------------------------------------------------------------------------


def test_only_the_clock_knows_the_time() -> None:
    asks = {f"{kind}.{verb}" for kind in ("datetime", "date") for verb in ("now", "utcnow", "today")}
    asks |= {"time.time", "time.time_ns"}

    def tells_time(node: ast.AST) -> bool:
        return isinstance(node, ast.Call) and ".".join(dotted(node.func).split(".")[-2:]) in asks

    nowhere(places(["domain"], tells_time, but=["domain/clock.py"]))


def test_money_and_energy_never_float() -> None:
    def floats(node: ast.AST) -> bool:
        if isinstance(node, ast.Call):
            return dotted(node.func) in {"float", "round"}
        hints = [getattr(node, "annotation", None), getattr(node, "returns", None)]
        return any("float" in words(part) for hint in hints if isinstance(hint, ast.AST) for part in ast.walk(hint))

    nowhere(places(["domain"], floats))


def test_nothing_is_caught_that_cannot_be_answered() -> None:
    def catches_all(node: ast.AST) -> bool:
        if isinstance(node, ast.ExceptHandler):
            caught = [node.type] if node.type else []
            return not caught or any({"Exception", "BaseException"} & words(part) for part in ast.walk(caught[0]))
        suppresses = isinstance(node, ast.Call) and dotted(node.func).endswith("suppress")
        return suppresses and any({"Exception", "BaseException"} & words(part) for part in ast.iter_child_nodes(node))

    nowhere(places(FLOORS, catches_all, but=MAY_CATCH_ALL))


def test_exceptions_to_the_linters_name_their_rule() -> None:
    blanket = re.compile(r"type:\s*ignore(?!\[)|noqa(?!:\s*[A-Z])|mypy:\s*ignore-errors|ruff:\s*noqa\s*$")
    comments = ((module.path, line, text) for module in modules(*PYTHON) for line, text in module.comments())
    nowhere(f"{path}:{line}" for path, line, text in comments if blanket.search(text))
