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
EXTRAS = {"skel-encoders": "onnx", "skel-recipes": "parquet"}
"""Those of which some tests make use; alone, packages are tested without."""
ALL = [str(FOLDERS[name] / "tests") for name in FOLDERS]

nox.options.sessions = ["lint", "typing", "tests", "together", "wheels", "minimums", "docs"]


def editables(names, extras=()):
    """Install arguments for packages in place."""
    arguments = []
    for name in sorted(names):
        extra = f"[{extras[name]}]" if name in extras else ""
        arguments += ["-e", f"{FOLDERS[name]}{extra}"]
    return arguments


def pytest(session, *arguments):
    """Run pytest; one thread per process is quicker on the tiny tensors of tests."""
    session.run("pytest", *arguments, *session.posargs, env={"OMP_NUM_THREADS": "1"})


# A file of tests stays with one process, as its tests share what is trained for them.
PARALLEL = ("-n", "auto", "--maxprocesses=8", "--dist=loadfile")


@nox.session(python=PYTHONS)
@nox.parametrize("package", [nox.param(name, id=name) for name in FOLDERS])
def tests(session, package):
    """One package with nothing but its own dependencies."""
    session.install(*editables(closure(package)), *GROUPS["test"])
    pytest(session, str(FOLDERS[package]), *PARALLEL)


@nox.session(python=PYTHONS[0])
def together(session):
    """All packages in one environment, with coverage."""
    session.install(*editables(FOLDERS, EXTRAS), *GROUPS["test"])
    pytest(session, *ALL, "tests", "--cov", "--cov-report=term:skip-covered", *PARALLEL)


@nox.session(python=PYTHONS[0])
def wheels(session):
    """Build every package, install the wheels alone, run the command from elsewhere."""
    dist = Path(session.create_tmp()) / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    session.install("build", "hatchling>=1.26")
    for folder in FOLDERS.values():
        session.run(
            "python", "-m", "build", "--installer=uv", "--outdir", str(dist), str(folder), silent=True
        )
    session.install("--reinstall", *(str(wheel) for wheel in sorted(dist.glob("*.whl"))), "pytest")
    session.chdir(session.create_tmp())
    session.run("skel", "--help", silent=True)
    pytest(session, str(ROOT / "tests" / "test_wheels.py"), "-c", str(ROOT / "pyproject.toml"))


@nox.session(python=PYTHONS[0])
def minimums(session):
    """The torch-free package with the oldest releases that its metadata allow."""
    session.install("--resolution=lowest-direct", "-e", str(FOLDERS[TORCH_FREE]), *GROUPS["test"])
    pytest(session, str(FOLDERS[TORCH_FREE]))


@nox.session(python=PYTHONS[0])
def lint(session):
    """Style."""
    session.install(*GROUPS["lint"])
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session(python=PYTHONS[0])
def typing(session):
    """Types, strictly."""
    session.install(*editables(FOLDERS), *GROUPS["typing"])
    session.run("mypy", *(str(folder / "src") for folder in FOLDERS.values()))


@nox.session(python=PYTHONS[0])
def docs(session):
    """The site, warnings being errors; its generated parts; every example in it and in the READMEs."""
    session.install(*editables(FOLDERS), *GROUPS["docs"])
    for script in ("make_results", "make_encoder_pages"):
        session.run("python", f"docs/{script}.py", "--check")
    session.run("sphinx-build", "-W", "--keep-going", "-q", "-b", "html", "docs", "docs/_build/html")
    pytest(session, "docs", "README.md", *(str(folder / "README.md") for folder in FOLDERS.values()))


@nox.session(python=PYTHONS[0], default=False)
def demo(session):
    """Synthetic data, pretraining, evaluation, report: `skel demo`."""
    session.install(*editables(FOLDERS))
    session.run("skel", "demo", *session.posargs)


@nox.session(python=PYTHONS[0], default=False)
def bench(session):
    """Speed on this machine: `skel bench`."""
    session.install(*editables(FOLDERS))
    session.run("skel", "bench", *session.posargs)
