"""Releases: the order of versions, bounds between packages, the changelog; all in copies of the tree."""

import runpy
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).parents[1]
release = SimpleNamespace(**runpy.run_path(str(ROOT / "tools" / "release.py")))
NAMES = sorted(release.packages(ROOT))


@pytest.fixture
def tree(tmp_path):
    """The files of this repository that a release reads or writes."""
    for folder in release.packages(ROOT).values():
        for path in (folder / "pyproject.toml", folder / "CHANGELOG.md", release.source(folder)):
            copy = tmp_path / path.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)
        notes = tmp_path / folder.relative_to(ROOT) / "changelog.d"
        notes.mkdir()
        (notes / "+new.added.md").write_text("- Something new.\n")
    (tmp_path / "tools").mkdir()
    shutil.copy(ROOT / "tools" / "changelog.md.jinja", tmp_path / "tools")
    return tmp_path


def minor(version):
    return release.successors(version)[1]


def test_a_version_follows_without_a_gap():
    assert release.successors("0.1.9") == ("0.1.10", "0.2.0", "1.0.0")
    for new in ("0.1.0", "0.1.1", "0.2.0", "1.0.0"):
        release.check_version("skel-data", "0.1.0", new, tags=())
    for new in ("0.1.0", "0.1.2", "0.0.9", "0.3.0", "0.2", "v0.2.0", "2.0.0"):
        with pytest.raises(release.ReleaseError, match=r"can follow, not"):
            release.check_version("skel-data", "0.1.0", new, tags=("skel-data-v0.1.0",))


def test_bounds_admit_a_minor_version():
    assert release.bounds("0.2.3") == ">=0.2,<0.3"
    assert release.bounds("1.10.0") == ">=1.10,<1.11"


@pytest.mark.parametrize("name", NAMES)
def test_prepare(tree, name):
    before = release.packages(tree)
    new = minor(release.version(before[name]))
    dependents = release.prepare(tree, name, new, "2030-01-02")
    folders = release.packages(tree)
    assert release.version(folders[name]) == new
    changelog = (folders[name] / "CHANGELOG.md").read_text()
    assert f"\n## {new} (2030-01-02)\n\n### Added\n\n- Something new.\n" in changelog
    assert not list((folders[name] / "changelog.d").glob("*"))
    assert dependents == [other for other in NAMES if name in release.siblings(folders[other], NAMES)]
    for other in dependents:
        assert release.siblings(folders[other], NAMES)[name] == release.bounds(new)
        # which is a change of its own, so that it can be released next
        release.prepare(tree, other, release.successors(release.version(folders[other]))[0], "2030-01-03")
        assert f"- Needs {name} {release.bounds(new)}.\n" in (folders[other] / "CHANGELOG.md").read_text()


def test_a_correction_moves_no_bounds(tree):
    folder = release.packages(tree)["skel-data"]
    assert (
        release.prepare(tree, "skel-data", release.successors(release.version(folder))[0], "2030-01-02") == []
    )


def test_newest_release_is_on_top_and_older_text_stays(tree):
    folder = release.packages(tree)["skel-eval"]
    first = minor(release.version(folder))
    release.prepare(tree, "skel-eval", first, "2030-01-02")
    before = (folder / "CHANGELOG.md").read_text()
    (folder / "changelog.d" / "+a.fixed.md").write_text("- One.\n- Two,\n  in two lines.\n")
    (folder / "changelog.d" / "+b.fixed.md").write_text("- Three.\n")
    second = release.successors(first)[0]
    release.prepare(tree, "skel-eval", second, "2030-02-02")
    head, old = before.split("\n## ", 1)
    entry = f"\n## {second} (2030-02-02)\n\n### Fixed\n\n- One.\n- Two,\n  in two lines.\n- Three.\n\n## "
    assert (folder / "CHANGELOG.md").read_text() == head + entry + old


def test_errors(tree):
    folder = release.packages(tree)["skel-augment"]
    new = minor(release.version(folder))
    with pytest.raises(release.ReleaseError, match="no package 'skel-agument'; there are"):
        release.prepare(tree, "skel-agument", new, "2030-01-02")
    with pytest.raises(release.ReleaseError, match=r"skel-augment is at .* can follow, not '9\.0\.0'"):
        release.prepare(tree, "skel-augment", "9.0.0", "2030-01-02")
    (folder / "changelog.d" / "+new.added.md").unlink()
    with pytest.raises(
        release.ReleaseError, match=r"no change is noted in packages/skel-augment/changelog\.d"
    ):
        release.prepare(tree, "skel-augment", new, "2030-01-02")
    release.set_bounds(folder, "skel-data", ">=7.0,<7.1")
    with pytest.raises(release.ReleaseError, match=r"asks for skel-data>=7\.0,<7\.1, but skel-data is at"):
        release.prepare(tree, "skel-augment", new, "2030-01-02")


def test_copy_holds_what_git_would_add(tmp_path):
    repository, copy = tmp_path / "repository", tmp_path / "copy"
    repository.mkdir()
    release.run("git", "init", "--quiet", cwd=repository)
    for name in ("new.py", ".gitignore", "dist/wheel", "packages/a/b.py"):
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / name).write_text("dist/\n")
    release.copy_tree(repository, copy)
    found = {str(path.relative_to(copy)) for path in copy.rglob("*") if path.is_file()}
    assert found == {"new.py", ".gitignore", "packages/a/b.py"}
