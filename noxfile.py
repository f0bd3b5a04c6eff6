#!/usr/bin/env -S uv run --script
# /// script
# dependencies = ["nox[uv]>=2025.2"]
# ///
"""Sessions of the repository. `nox` runs what a change must pass; `nox -l` lists all."""

import os
import shutil
import subprocess
import tomllib
from pathlib import Path

import nox
from nox.command import CommandFailed

nox.needs_version = ">=2025.2"
nox.options.default_venv_backend = "uv"
nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_missing_interpreters = True
# Interpreters are those of the machine; a matrix that downloads others would test something else each time.
os.environ.setdefault("UV_PYTHON_DOWNLOADS", "never")

ROOT = Path(__file__).parent
GROUPS = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
FOLDERS = {
    tomllib.loads((folder / "pyproject.toml").read_text())["project"]["name"]: folder.relative_to(ROOT)
    for folder in (*sorted((ROOT / "packages").iterdir()), ROOT / "integration")
}
TORCH_FREE = "skel-data"


def project(name):
    """Metadata of a package."""
    return tomllib.loads((ROOT / FOLDERS[name] / "pyproject.toml").read_text())["project"]


def closure(name):
    """A package and those of this repository that it needs, directly or not."""
    needed = {name}
    for requirement in project(name)["dependencies"]:
        sibling = next(
            (other for other in FOLDERS if requirement.startswith((f"{other}>", f"{other}["))), None
        )
        if sibling is not None:
            needed |= closure(sibling)
    return needed


def works(python):
    """Whether an interpreter of this version is there and starts (a shim may exist without it)."""
    path = shutil.which(f"python{python}")
    return path is not None and subprocess.run([path, "-c", ""], capture_output=True).returncode == 0


SUPPORTED = sorted(
    {
        c.rsplit(" ", 1)[1]
        for c in project(TORCH_FREE)["classifiers"]
        if c.startswith("Programming Language :: Python :: 3.")
    },
    key=lambda version: int(version.split(".")[1]),
)
PYTHONS = [python for python in SUPPORTED if works(python)]
if not PYTHONS:
    raise SystemExit(f"none of Python {', '.join(SUPPORTED)} was found")
FIRST = PYTHONS[0]
EXTRAS = {"skel-data": "torch", "skel-encoders": "onnx", "skel-recipes": "parquet"}
"""Those of which some tests make use; the first interpreter has them, the others go without."""

nox.options.sessions = ["lint", "typing", "tests", "wheels", "minimums", "docs"]


def editables(names, extras=()):
    """Install arguments for packages in place."""
    arguments = []
    for name in sorted(names):
        extra = f"[{extras[name]}]" if name in extras else ""
        arguments += ["-e", f"{FOLDERS[name]}{extra}"]
    return arguments


def pytest(session, *arguments):
    """Run pytest; one thread per process is quicker on the tiny tensors of tests."""
    session.run("pytest", *arguments, env={"OMP_NUM_THREADS": "1"})


# A file of tests stays with one process, as its tests share what is trained for them.
PARALLEL = ("-n", "auto", "--maxprocesses=8", "--dist=loadfile")
QUICK = ("-m", "not slow")


def by_size(names):
    """Packages, those with few dependencies first."""
    return sorted(names, key=lambda name: (len(closure(name)), name != TORCH_FREE, name))


@nox.session(python=PYTHONS)
def tests(session):
    """Each package with nothing but its own dependencies: `nox -s tests-3.12 -- skel-data -k store`.

    The first interpreter runs every test, the others all but those marked slow. One environment serves
    the packages in turn: what the next one does not need is uninstalled (so never with nox -R).
    """
    chosen = [name for name in FOLDERS if name in session.posargs] or FOLDERS
    arguments = [word for word in session.posargs if word not in FOLDERS]
    first = session.python == FIRST
    failed = []
    for name in by_size(chosen):
        session.install(
            "--exact", *editables(closure(name), EXTRAS if first else ()), *GROUPS["test"], silent=True
        )
        folders = [str(FOLDERS[name]), *(["tests"] if closure(name) == set(FOLDERS) else [])]
        try:
            pytest(session, *folders, *PARALLEL, *(() if first else QUICK), *arguments)
        except CommandFailed:
            failed.append(name)
    if failed:
        session.error(f"failed: {', '.join(failed)}")


@nox.session(python=PYTHONS, default=False)
def matrix(session):
    """Every test on every interpreter, all packages in one environment, with coverage."""
    session.install(*editables(FOLDERS, EXTRAS), *GROUPS["test"], *GROUPS["coverage"])
    folders = (*map(str, FOLDERS.values()), "tests")
    pytest(session, *folders, "--cov", "--cov-report=term:skip-covered", *PARALLEL, *session.posargs)


@nox.session(python=FIRST)
def wheels(session):
    """Build every package, install the wheels alone, run the command from elsewhere."""
    dist = Path(session.create_tmp()) / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    for folder in FOLDERS.values():
        session.run("uv", "build", "--quiet", "--out-dir", str(dist), str(folder), external=True)
    ours = (f"--reinstall-package={name}" for name in FOLDERS)
    session.install(*ours, *(str(wheel) for wheel in sorted(dist.glob("*.whl"))), "pytest")
    session.install("--no-deps", "--reinstall-package=skel-extension", str(ROOT / "examples/skel-extension"))
    session.chdir(session.create_tmp())
    session.run("skel", "--help", silent=True)
    files = [str(ROOT / "tests" / name) for name in ("test_wheels.py", "test_extension.py")]
    pytest(session, *files, "-c", str(ROOT / "pyproject.toml"))


@nox.session(python=FIRST)
def minimums(session):
    """The torch-free package with the oldest releases that its metadata allow, without the slow tests."""
    session.install("--resolution=lowest-direct", "-e", str(FOLDERS[TORCH_FREE]), *GROUPS["test"])
    pytest(session, str(FOLDERS[TORCH_FREE]), *PARALLEL, *QUICK, *session.posargs)


@nox.session(python=FIRST)
def lint(session):
    """Style."""
    session.install(*GROUPS["lint"])
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session(python=FIRST)
def typing(session):
    """Types, strictly."""
    session.install(*editables(FOLDERS), *GROUPS["typing"])
    session.run("mypy", *(str(folder / "src") for folder in FOLDERS.values()), "integration/benchmarks")


@nox.session(python=FIRST)
def docs(session):
    """The site, warnings being errors; its generated parts; every example, in docstrings too."""
    session.install(*editables(FOLDERS, EXTRAS), *GROUPS["docs"])
    for script in ("make_results", "make_encoder_pages"):
        session.run("python", f"docs/{script}.py", "--check")
    session.run("sphinx-build", "-W", "--keep-going", "-q", "-b", "html", "docs", "docs/_build/html")
    readmes = [str(folder / "README.md") for folder in FOLDERS.values()]
    pytest(session, "docs", "README.md", *readmes, *session.posargs)
    sources = [str(folder / "src") for folder in FOLDERS.values()]
    pytest(session, "--doctest-modules", *sources)


@nox.session(python=FIRST, default=False)
def release(session):
    """A release, tried in a copy; with --execute made: `nox -s release -- PACKAGE VERSION [--execute]`."""
    session.install(*GROUPS["release"])
    session.run("python", "tools/release.py", *session.posargs)


@nox.session(python=FIRST, default=False)
def demo(session):
    """Synthetic data, pretraining, evaluation, report: `skel demo`."""
    session.install(*editables(FOLDERS))
    session.run("skel", "demo", *session.posargs)


@nox.session(python=FIRST, default=False)
def faults(session):
    """Kill commands at random moments and run them again: `nox -s faults -- --kills 200`."""
    session.install(*editables(FOLDERS))
    session.run("python", "tools/faults.py", *session.posargs, env={"OMP_NUM_THREADS": "1"})


@nox.session(python=FIRST, default=False)
def bench(session):
    """Speed on this machine: `nox -s bench -- [data|augment|train|eval ...] [--json]`."""
    session.install(*editables(FOLDERS))
    session.run("python", "integration/benchmarks/bench.py", *session.posargs)
