"""Who may know whom: the arrows between packages, in the code and in the metadata."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib import import_module
from importlib.metadata import version as installed_version
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# Package: (siblings it may import, what it must not import when it is imported)
ARROWS = {
    "skel-data": (set(), {"torch"}),
    "skel-augment": ({"skel-data"}, {"timm", "scipy"}),
    "skel-encoders": ({"skel-data"}, {"timm", "scipy"}),
    "skel-ssl-objectives": (set(), {"timm", "scipy"}),
    "skel-eval": (set(), {"timm", "sklearn", "matplotlib"}),
    "skel-recipes": (
        {"skel-data", "skel-augment", "skel-encoders", "skel-ssl-objectives", "skel-eval"},
        {"torch"},
    ),
}


def folder(name):
    return ROOT / ("integration" if name == "skel-recipes" else f"packages/{name}")


def imports(path):
    """Top-level names of all modules that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]


def metadata(name):
    return tomllib.loads((folder(name) / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def version(name):
    """The version that the package's source states, in one place only."""
    module = name.replace("-", "_")
    stated = [
        (path.relative_to(folder(name)), found)
        for path in (folder(name) / "src").rglob("*.py")
        for found in re.findall(r'^__version__ = "(\d+\.\d+\.\d+)"$', path.read_text("utf-8"), re.MULTILINE)
    ]
    assert [path for path, _ in stated] == [Path("src", module, "__init__.py")]
    return stated[0][1]


def test_all_packages_are_named_here():
    found = {metadata_file.parent.name for metadata_file in ROOT.glob("packages/*/pyproject.toml")}
    assert found | {"skel-recipes"} == set(ARROWS)


@pytest.mark.parametrize("name", ARROWS)
def test_imports_follow_the_arrows(name):
    siblings = {other.replace("-", "_") for other in ARROWS} - {name.replace("-", "_")}
    allowed = {other.replace("-", "_") for other in ARROWS[name][0]}
    for path in (folder(name) / "src").rglob("*.py"):
        assert set(imports(path)) & siblings <= allowed, path


@pytest.mark.parametrize("name", ARROWS)
def test_dependencies_are_exactly_what_is_imported(name):
    """Nothing undeclared, nothing declared in vain."""
    project = metadata(name)
    declared, optional = (
        {requirement.split(">")[0].split("[")[0].replace("-", "_") for requirement in requirements}
        for requirements in (
            project["dependencies"],
            chain(*project.get("optional-dependencies", {}).values()),
        )
    )
    aliases = {"scikit_learn": "sklearn", "pillow": "PIL"}
    declared = {aliases.get(package, package) for package in declared}
    optional = {aliases.get(package, package) for package in optional}
    used = set().union(*(set(imports(path)) for path in (folder(name) / "src").rglob("*.py")))
    used -= {name.replace("-", "_"), *sys.stdlib_module_names}
    assert used - optional == declared


@pytest.mark.parametrize("name", ARROWS)
def test_bounds_admit_the_versions_beside(name):
    for requirement in metadata(name)["dependencies"]:
        sibling = requirement.split(">")[0].split("[")[0]
        if sibling in ARROWS:
            major, minor, _ = version(sibling).split(".")
            assert requirement.endswith(f">={major}.{minor},<{major}.{int(minor) + 1}")


@pytest.mark.parametrize("name", ARROWS)
def test_import_stays_light(name, tmp_path):
    code = f"import sys, {name.replace('-', '_')}; print(*sys.modules)"
    fresh = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert fresh.returncode == 0, fresh.stderr
    assert not ARROWS[name][1] & set(fresh.stdout.split())


@pytest.mark.parametrize("name", ARROWS)
def test_version_is_stated_once(name):
    """In ``__init__.py``, from where the metadata take it; the installed package says the same."""
    assert "version" not in metadata(name)
    assert metadata(name)["dynamic"] == ["version"]
    assert import_module(name.replace("-", "_")).__version__ == version(name)
    assert installed_version(name) == version(name)


# Folders of a package from the ground up; those of one floor do not know each other.
FLOORS = {
    "skel-recipes": [{"common"}, {"methods"}, {"config"}, {"run"}, {"train", "evaluate"}, {"model"}, {"cli"}],
    "skel-eval": [{""}, {"protocols", "draw"}, {"checks", "comparison", "explore"}, {"report"}],
}


@pytest.mark.parametrize("name", FLOORS)
def test_folders_stand_on_floors(name):
    package = name.replace("-", "_")
    floor = {part: level for level, parts in enumerate(FLOORS[name]) for part in parts}
    root = folder(name) / "src" / package
    for path in root.glob("**/*.py"):
        home = path.relative_to(root).parts[0] if path.parent != root else ""
        if path.name == "__init__.py" or path.name == "__main__.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == package:
                steps = node.module.split(".")[1:]
                other = steps[0] if steps and (root / steps[0]).is_dir() else ""
                if other != home and home in floor:
                    assert floor[other] < floor[home], f"{path.relative_to(root)} imports {node.module}"
