"""Names are not paths, and move no cursor; what is overwritten is only what was written."""

import pytest
from attrs import evolve

from skel_data import Clip, Store, merge_stores, write_store
from skel_eval import table_text
from skel_recipes import evaluate
from skel_recipes.cli.app import main
from skel_recipes.common.files import file_name

NAMES = [
    "lab1/alice", "../../../x", "..", ".", "", "a\nb", "\x1b[2J\x1b]0;owned\x07", "=1+1", "a\\b", "CON",
    "\u202eevil", "x" * 300, "\ud800", "-rf", "\u00e9",
]  # fmt: skip


@pytest.fixture
def rename(own_store, tmp_path):
    """The store with another name for its data set and names for its subjects."""

    def made(dataset, subjects=()):
        names = ["s0", *subjects, *(f"s{i + 1}" for i in range(len(subjects), 20))] if subjects else ()
        info = evolve(own_store.info, dataset=dataset, subject_names=names)
        clips = [
            Clip(
                own_store.clip(i),
                str(own_store.names[i]),
                label=int(own_store.labels[i]),
                subject=int(own_store.subjects[i]),
                camera=int(own_store.cameras[i]),
            )
            for i in range(len(own_store))
        ]
        return write_store(tmp_path / "named.store", clips, info, source="here", overwrite=True)

    return made


def everything(folder):
    return set(folder.rglob("*"))


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("", "\ud800")])
def test_an_evaluation_writes_inside_the_run_whatever_the_names(own_run, rename, tmp_path, name):
    subject = "s3" if name.isspace() else name
    store = rename(name, [subject])
    assert store.dataset == name
    assert Store.open(store.path).subject_names[1] == subject
    evaluate(own_run, store, "knn", split="random")
    before = everything(tmp_path.parent)
    result = evaluate(own_run, store, "knn", split=f"subject-{subject}")
    assert result.dataset == name
    new = everything(tmp_path.parent) - before
    assert new
    for path in new:
        assert path.is_relative_to(own_run.path) or path.is_relative_to(store.path)
    assert len(list((own_run.path / "eval").glob("*.json"))) == 2


@pytest.mark.parametrize("name", NAMES)
def test_a_name_as_part_of_a_file_name(name, tmp_path):
    part = file_name(name)
    assert part
    assert part.isprintable()
    assert not set(part) & set("/\\") | set(part[:1]) & {"."}
    (tmp_path / f"{'-'.join([part] * 4)}.json").write_text("x")
    assert len(list(tmp_path.iterdir())) == 1


def test_long_names_with_one_beginning_stay_apart():
    assert file_name("x" * 300) != file_name("x" * 299)
    assert file_name("short") == "short"


def test_names_are_shown_escaped(rename, own_run, capsys):
    bad = "\x1b[2J\u202e\r\nskel: all is well"
    store = rename(bad, [bad])
    assert main(["data", "info", str(store.path)]) == 0
    assert main(["eval", "knn", str(own_run.path), str(store.path), "--split", "random"]) == 0
    assert main(["eval", "knn", str(own_run.path), str(store.path), "--split", f"no {bad}"]) == 1
    out, err = capsys.readouterr()
    for text in (out, err):
        assert text.replace("\n", "").isprintable()
    assert "\nskel: all" not in out
    assert r"\x1b[2J\u202e\r\nskel: all is well" in out


def test_cells_that_would_be_formulas():
    cells = ["=1+1", "+1", "-1", "-x", "@sum(a1)", "a=b", "-1e-3", "\tx", ""]
    text = table_text([["a"], *([cell] for cell in cells)], "csv")
    shown = [line.strip('"') for line in text.splitlines()[1:]]
    assert shown == ["'=1+1", "+1", "-1", "'-x", "'@sum(a1)", "a=b", "-1e-3", "'\tx", ""]


def test_overwriting_removes_only_what_was_written(own_store, tmp_path):
    (own_store.path / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match=r"files that are not the store's: notes.txt; move them away"):
        merge_stores([own_store, own_store], own_store.path, overwrite=True)
    assert (own_store.path / "notes.txt").read_text() == "mine"
    (own_store.path / "notes.txt").unlink()
    (own_store.path / "cache").mkdir()
    (own_store.path / "cache" / "my.csv").write_text("mine")
    with pytest.raises(FileExistsError, match="cache/my.csv"):
        merge_stores([own_store, own_store], own_store.path, overwrite=True)
    (own_store.path / "cache" / "my.csv").unlink()
    assert len(merge_stores([own_store, own_store], own_store.path, overwrite=True)) == 2 * len(own_store)


def test_overwriting_follows_a_link(own_store, tmp_path):
    (tmp_path / "disk").mkdir()
    target = own_store.path.rename(tmp_path / "disk" / "target.store")
    link = tmp_path / "link.store"
    link.symlink_to(target)
    store = Store.open(link)
    merged = merge_stores([store, store], link, overwrite=True)
    assert link.is_symlink()
    assert len(Store.open(target)) == len(merged) == 2 * len(store)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["disk", "link.store"]
    assert [path.name for path in (tmp_path / "disk").iterdir()] == ["target.store"]
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    with pytest.raises(FileExistsError, match="a link to .*gone, which is not there"):
        merge_stores([store, store], tmp_path / "nowhere", overwrite=True)


def test_a_file_that_is_a_link_is_followed(own_run, own_store, tmp_path):
    (tmp_path / "disk").mkdir()
    link = tmp_path / "result.json"
    link.symlink_to(tmp_path / "disk" / "result.json")
    evaluate(own_run, own_store, "knn", out=link)
    assert link.is_symlink()
    assert (tmp_path / "disk" / "result.json").stat().st_size > 0
