import pytest
from attrs import define
from hypothesis import given
from hypothesis import strategies as st

from skel_data import ClassMap, class_map_names, match_classes, read_class_map
from skel_data.readers.datasets import _nw_ucla, _utkinect
from skel_data.splits._official import class_names


@define
class Labelled:
    dataset: str
    classes: tuple[str, ...]


A = Labelled("a", ("walk", "sit", "stand", "jump"))
B = Labelled("b", ("standing up", "walking", "running"))
PAIRS = {"walk": "walking", "stand": "standing up"}


@pytest.fixture
def write(tmp_path):
    def make(text):
        path = tmp_path / "mine.toml"
        path.write_text(text)
        return path

    return make


def test_numbers_of_a_file(write):
    path = write('[classes]\n"walk" = "walking"\n"stand" = "standing up"\n')
    found = match_classes(A, B, path)
    assert found == ClassMap("mine", PAIRS)
    assert found.numbers(A, B).tolist() == [1, -1, 0, -1]


def test_a_map_is_turned_round():
    found = ClassMap("m", PAIRS, ("a",), ("b",)).reversed()
    assert found == ClassMap("m", {"walking": "walk", "standing up": "stand"}, ("b",), ("a",))
    assert found.numbers(B, A).tolist() == [2, 0, -1]


def test_direction_is_found_by_the_names(write):
    path = write('[classes]\n"walk" = "walking"\n"stand" = "standing up"\n')
    assert match_classes(B, A, path).numbers(B, A).tolist() == [2, 0, -1]
    path = write('[classes]\n"walk" = "walking"\n"stand" = "walking"\n"sit" = "running"\n')
    assert match_classes(A, B, path).numbers(A, B).tolist() == [1, 2, 1, -1]
    with pytest.raises(ValueError, match="class map mine goes one way only.* such as 'walking'"):
        match_classes(B, A, path)


def test_without_a_map_classes_of_the_same_name():
    found = match_classes(A, Labelled("c", ("jump", "walk", "fall")))
    assert found.numbers(A, Labelled("c", ("jump", "walk", "fall"))).tolist() == [1, -1, -1, 0]
    with pytest.raises(ValueError, match="a and b share 0 classes by same names, and recognition needs two"):
        match_classes(A, B)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '[classes]\n"walk" = "walking"\n"hop" = "hopping"\n',
            "a has no class 'hop' and b has no class 'hopping'",
        ),
        ('[classes]\n"walk" = 1\n', "expected a table \\[classes\\]"),
        ('source = "a"\n[classes]\n"walk" = "walking"\n', "lists of names of data sets"),
        ('target = ["b"]\n', "expected a table"),
        ('[classes]\n"walk" = "walking"\n[more]\n', "unknown key more"),
        ("walk = walking", "not a TOML file"),
        ('[classes]\n"walk" = "walking"\n"sit" = "walking"\n', "share 1 class"),
    ],
)
def test_errors(write, text, message):
    with pytest.raises(ValueError, match=message):
        match_classes(A, B, write(text))


def test_errors_of_names(tmp_path):
    with pytest.raises(ValueError, match="no class map 'pku-mmd-ntu6'; did you mean 'pku-mmd-ntu60'"):
        read_class_map("pku-mmd-ntu6")
    with pytest.raises(FileNotFoundError):
        read_class_map(tmp_path / "none.toml")


READERS = {"nw-ucla": _nw_ucla._ACTIONS, "utkinect": _utkinect._CLASSES}


def known(dataset):
    """Classes of a set as its reader names them."""
    if dataset in READERS:
        return Labelled(dataset, tuple(READERS[dataset].values()))
    official = {"ntu60": "ntu120", "pku-mmd-1": "pku-mmd", "pku-mmd-2": "pku-mmd"}.get(dataset, dataset)
    return Labelled(dataset, class_names(official)[: 60 if dataset == "ntu60" else None])


@pytest.mark.parametrize("name", class_map_names())
def test_packaged_maps_name_classes_that_are_there(name):
    found = read_class_map(name)
    for source in map(known, found.source):
        for target in map(known, found.target):
            assert sum(found.numbers(source, target) >= 0) == len(found.pairs)
            assert match_classes(source, target) == found
            back = match_classes(target, source)
            assert sum(back.numbers(target, source) >= 0) == len(back.pairs)


def test_published_number_of_common_classes():
    found = read_class_map("pku-mmd-ntu60")
    assert (len(found.pairs), found.reversible) == (51, True)
    # 0-based, as the published picture of pairs numbers them from 1
    numbers = found.numbers(known("pku-mmd-1"), known("ntu60"))
    assert {0: 34, 7: 0, 14: 25, 28: 56, 37: 24, 50: 11}.items() <= dict(enumerate(numbers.tolist())).items()


@given(st.permutations(["walk", "sit", "stand", "jump"]), st.integers(2, 4))
def test_order_of_classes_does_not_matter(names, count):
    pairs = {name: name.upper() for name in names[:count]}
    source, target = Labelled("a", tuple(names)), Labelled("b", tuple(name.upper() for name in sorted(names)))
    numbers = ClassMap("m", pairs).numbers(source, target)
    for name, number in zip(names, numbers, strict=True):
        assert (number >= 0) == (name in pairs)
        assert number < 0 or target.classes[number] == name.upper()
    back = ClassMap("m", pairs).reversed().numbers(target, source)
    for number in numbers[numbers >= 0]:
        assert numbers[back[number]] == number
