"""Release one package of this repository: `nox -s release -- PACKAGE VERSION [--execute]`.

A release sets the version, writes the changelog from the fragments in ``changelog.d``, moves the bounds of
the packages that need this one, builds wheel and sdist, checks their metadata, imports the wheel in a fresh
environment, commits, and makes the tag ``PACKAGE-vVERSION``. Without ``--execute`` all but the commit and
the tag happens in a copy of the repository, which is then thrown away. Nothing is uploaded or pushed.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

ROOT = Path(__file__).parents[1]
VERSION = re.compile(r'^__version__ = "(\d+\.\d+\.\d+)"$', re.MULTILINE)


class ReleaseError(Exception):
    """Why this release cannot be made."""


def run(*command, cwd):
    """Output of a command; what it said if it fails."""
    done = subprocess.run([str(word) for word in command], cwd=cwd, capture_output=True, text=True)
    if done.returncode:
        raise ReleaseError(f"{' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}".rstrip())
    return done.stdout


def packages(root):
    """Folder of each package by its name."""
    folders = [*sorted((root / "packages").iterdir()), root / "integration"]
    return {project(folder)["name"]: folder for folder in folders if (folder / "pyproject.toml").is_file()}


def project(folder):
    """Metadata of a package."""
    return tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def source(folder):
    """The file that states the version of a package."""
    return folder / "src" / project(folder)["name"].replace("-", "_") / "__init__.py"


def version(folder):
    """The version that a package states."""
    stated = VERSION.findall(source(folder).read_text(encoding="utf-8"))
    if len(stated) != 1:
        raise ReleaseError(f'{source(folder)} has {len(stated)} lines __version__ = "X.Y.Z", expected 1')
    return stated[0]


def bounds(release):
    """What packages that need this release ask for: its minor version."""
    major, minor, _ = map(int, release.split("."))
    return f">={major}.{minor},<{major}.{minor + 1}"


def successors(release):
    """Versions that may follow: of a correction, of new features, of another interface."""
    major, minor, patch = map(int, release.split("."))
    return f"{major}.{minor}.{patch + 1}", f"{major}.{minor + 1}.0", f"{major + 1}.0.0"


def tag(name, release):
    """Name of the tag of a release."""
    return f"{name}-v{release}"


def check_version(name, old, new, tags):
    """A version is released once; another one follows it without a gap."""
    allowed = successors(old) if tag(name, old) in tags else (old, *successors(old))
    if new not in allowed:
        released = "released" if tag(name, old) in tags else "not released yet"
        raise ReleaseError(
            f"{name} is at {old} ({released}), so {' or '.join(allowed)} can follow, not {new!r}"
        )


def siblings(folder, names):
    """Packages of this repository that a package needs itself, with the bounds that it asks for."""
    metadata = project(folder)
    optional = metadata.get("optional-dependencies", {}).values()
    requirements = chain(metadata["dependencies"], *optional)
    parts = (re.fullmatch(r"([\w-]+)(?:\[[\w,-]+\])?(.*)", requirement) for requirement in requirements)
    return {part[1]: part[2] for part in parts if part and part[1] in names}


def needed(name, folders):
    """A package and those of this repository that it needs, directly or not."""
    return {name}.union(*(needed(other, folders) for other in siblings(folders[name], folders)))


def set_bounds(folder, name, wanted):
    """Whether the bounds that a package asks of another had to be moved."""
    path = folder / "pyproject.toml"
    text = path.read_text(encoding="utf-8")
    moved = re.sub(rf'("{name}(?:\[[\w,-]+\])?)>=[^"]*"', rf'\g<1>{wanted}"', text)
    path.write_text(moved, encoding="utf-8")
    return moved != text


def prepare(root, name, new, date, tags=()):
    """Edit a tree for a release.

    Returns:
        Names of the packages whose bounds have moved and which are to be released next.

    Raises:
        ReleaseError: If there is no such package, another version is to follow, no change has been noted,
            or a sibling's version is outside of the bounds that the package asks for.
    """
    folders = packages(root)
    if name not in folders:
        raise ReleaseError(f"no package {name!r}; there are {', '.join(folders)}")
    folder = folders[name]
    check_version(name, version(folder), new, tags)
    for sibling, asked in siblings(folder, folders).items():
        if asked != bounds(version(folders[sibling])):
            raise ReleaseError(
                f"{name} asks for {sibling}{asked}, but {sibling} is at {version(folders[sibling])}"
            )
    if not any((folder / "changelog.d").glob("*.md")):
        raise ReleaseError(f"no change is noted in {(folder / 'changelog.d').relative_to(root)}")

    path = source(folder)
    path.write_text(VERSION.sub(f'__version__ = "{new}"', path.read_text(encoding="utf-8")), encoding="utf-8")
    towncrier = (sys.executable, "-m", "towncrier", "build", "--yes", "--version", new, "--date", date)
    run(*towncrier, "--config", folder / "pyproject.toml", "--dir", folder, cwd=root)
    dependents = []
    for other in folders:
        if name in siblings(folders[other], folders) and set_bounds(folders[other], name, bounds(new)):
            dependents.append(other)
            note = folders[other] / "changelog.d" / f"+{name}-{new}.changed.md"
            note.parent.mkdir(exist_ok=True)
            note.write_text(f"- Needs {name} {bounds(new)}.\n", encoding="utf-8")
    return dependents


def copy_tree(root, target):
    """Copy what git knows or would add, so without built things and environments."""
    for line in run("git", "ls-files", "-z", "-co", "--exclude-standard", cwd=root).split("\0"):
        if line and (root / line).is_file():
            (target / line).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / line, target / line)


def build(root, name, new, scratch):
    """Wheel and sdist of a package, their metadata checked, the wheel imported with nothing else around.

    Siblings are built from the same tree, as the index may not have them yet.
    """
    folders, uv = packages(root), os.environ.get("UV", "uv")
    ours, others, environment = scratch / "dist", scratch / "siblings", scratch / "environment"
    run(uv, "build", "--out-dir", ours, folders[name], cwd=scratch)
    files = sorted(path for path in ours.iterdir() if path.suffix in {".whl", ".gz"})
    run(sys.executable, "-m", "twine", "check", "--strict", *files, cwd=scratch)
    for sibling in sorted(needed(name, folders) - {name}):
        run(uv, "build", "--wheel", "--out-dir", others, folders[sibling], cwd=scratch)
    wheels = [*ours.glob("*.whl"), *others.glob("*.whl")]
    run(uv, "venv", "--python", sys.executable, environment, cwd=scratch)
    python = environment / ("Scripts" if os.name == "nt" else "bin") / "python"
    run(uv, "pip", "install", "--python", python, *wheels, cwd=scratch)
    said = run(python, "-I", "-c", f"import {name.replace('-', '_')} as m; print(m.__version__)", cwd=scratch)
    if said.strip() != new:
        raise ReleaseError(f"the installed package says that it is {said.strip()}, not {new}")
    return files


def main(arguments=None):
    """Do it, or say why not."""
    parser = argparse.ArgumentParser(prog="nox -s release --", description=__doc__.split("\n", 1)[0])
    parser.add_argument("package")
    parser.add_argument("version", help="such as 0.2.0")
    parser.add_argument("--execute", action="store_true", help="change the files, commit and tag")
    asked = parser.parse_args(arguments)
    name, new, date = asked.package, asked.version, datetime.now(UTC).date().isoformat()
    tags = run("git", "tag", cwd=ROOT).split()
    if asked.execute and run("git", "status", "--porcelain", cwd=ROOT):
        raise ReleaseError("a release starts from a clean tree: commit or put away your changes first")

    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch, "tree")
        copy_tree(ROOT, copy)
        dependents = prepare(copy, name, new, date, tags)
        folders = packages(copy)
        unreleased = [
            f"{other} {version(folders[other])}"
            for other in sorted(needed(name, folders) - {name})
            if tag(other, version(folders[other])) not in tags
        ]
        if unreleased and asked.execute:
            raise ReleaseError(f"{name} needs what is not released yet: {', '.join(unreleased)}")
        files = build(copy, name, new, Path(scratch))
        print(f"{name} {new}: built, checked and imported {', '.join(path.name for path in files)}")
        entry = (folders[name] / "CHANGELOG.md").read_text(encoding="utf-8").split("\n## ")[1]
        print(f"\n## {entry.strip()}\n")
        if asked.execute:
            (ROOT / "dist").mkdir(exist_ok=True)
            for path in files:
                shutil.copy2(path, ROOT / "dist")

    if dependents:
        print(f"bounds moved, to be released next: {', '.join(dependents)}")
    if unreleased:
        print(f"to be released before: {', '.join(unreleased)}")
    if not asked.execute:
        print(f"dry run: nothing was changed; --execute commits this and makes the tag {tag(name, new)}")
        return
    prepare(ROOT, name, new, date, tags)
    run("git", "add", "--all", cwd=ROOT)
    run("git", "commit", "--quiet", "-m", f"Release {name} {new}", cwd=ROOT)
    run("git", "tag", "--annotate", tag(name, new), "-m", f"{name} {new}", cwd=ROOT)
    print(f"committed and tagged {tag(name, new)}; the files to upload are in dist/")


if __name__ == "__main__":
    try:
        main()
    except ReleaseError as error:
        sys.exit(str(error))
