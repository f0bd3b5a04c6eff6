import json
import re
import subprocess
import sys
from typing import get_args

import attrs
import numpy as np
import pytest
import tyro

from skel_augment import View
from skel_data import READERS
from skel_recipes import PROTOCOLS, Run
from skel_recipes.cli import main
from skel_recipes.cli.app import _COMMANDS, recipe_keys_as_settings
from skel_recipes.evaluate.evaluate import results_of


def skel(capsys, *words):
    status = main([str(word) for word in words])
    return status, capsys.readouterr()


def test_help_is_light():
    code = (
        "import sys\nfrom skel_recipes.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit as end:\n    assert not end.code\n"
        "heavy = {'torch', 'numpy', 'scipy', 'sklearn', 'cattrs', 'tqdm'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "pretrain" in result.stdout


def test_recipe_keys():
    words = [
        "pretrain",
        "compact",
        "s",
        "--optim.lr",
        "0.1",
        "--train.epochs=3",
        "--out",
        "r",
        "--set",
        "a=b",
    ]
    assert recipe_keys_as_settings(words) == [
        *words[:3],
        "--set",
        "optim.lr=0.1",
        "--set",
        "train.epochs=3",
        *words[6:],
    ]


def test_arguments_are_named(capsys):
    with pytest.raises(SystemExit):
        main(["data", "import", "--help"])
    told = capsys.readouterr().out
    assert "FORMAT SOURCE STORE" in told
    assert "None}" not in told
    assert "--no-strict" not in told


def test_interruption_is_told_in_a_sentence(capsys, tmp_path, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    assert skel(capsys, "data", "synth", tmp_path / "s", "--classes", "2")[0] == 0
    monkeypatch.setattr("skel_recipes.train.trainer.Trainer._train_epoch", interrupted)
    run = tmp_path / "run"
    status, output = skel(capsys, "pretrain", "compact", tmp_path / "s", "--out", run)
    assert status == 130
    assert output.err.endswith(f"go on with: skel pretrain --resume {run}\nskel: interrupted\n")
    assert "900 epochs of 1 step, as train.min_steps is 900" in output.err


def test_readers_may_leave():
    """As in skel recipe | head -1."""
    code = "from skel_recipes.cli import main\nraise SystemExit(main(['recipe']))"
    words = [sys.executable, "-c", code]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as left:
        left.stdout.close()
        assert left.stderr.read() == ""
    assert left.returncode == 141


def test_main_job(capsys, tmp_path):
    """Import, pretrain, evaluate and look, as a user types it."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(5, 12, size=24)
    np.savez(
        tmp_path / "poses.npz",
        positions=rng.normal(size=(lengths.sum(), 20, 3)).astype(np.float32),
        lengths=lengths,
        labels=np.arange(24) % 2,
        class_names=np.array(["nod", "wave"]),
        split=np.repeat([1, 2], 12),
    )
    store, run = tmp_path / "s.store", tmp_path / "run"
    assert (
        skel(capsys, "data", "import", "npz", tmp_path / "poses.npz", store, "--layout", "kinect-20")[0] == 0
    )
    status, output = skel(capsys, "data", "info", store, "--json")
    info = json.loads(output.out)
    assert (info["clips"], info["layout"], info["classes"]) == (24, "kinect-20", {"nod": 12, "wave": 12})
    small = ["--encoder.widths", "[8]", "--encoder.kernels", "[3]", "--encoder.strides", "[1]"]
    status, _ = skel(
        capsys,
        "pretrain",
        "compact",
        store,
        "--out",
        run,
        "--train.epochs",
        "2",
        "--train.min_steps",
        "0",
        *small,
    )
    assert status == 0
    for protocol in ("linear", "knn"):
        status, output = skel(capsys, "eval", protocol, run, store, "--json")
        assert status == 0
        assert json.loads(output.out)["counts"]["test"] == 12
    assert not (run / "report.html").exists()  # nothing is drawn unless asked for
    assert skel(capsys, "report", run)[0] == 0
    assert (run / "report.html").exists()
    short = ("--epochs", "2", "--repeats", "1", "--json")
    for words, protocol in (
        (("mlp",), "mlp"),
        (("retrieval", "--ks", "1", "3"), "retrieval"),
        (("few-shot", "--ways", "2", "--queries", "2", "--episodes", "20"), "few-shot"),
        (("clustering",), "clustering"),
        (("robustness",), "robustness"),
        (("finetune", *short), "finetune"),
        (("semi", "--fraction", "0.5", "--view", "compact.view", "--layer-decay", "0.8", *short), "semi"),
        (("linear", "--published", "aimclr"), "linear"),
    ):
        told = (*words[1:], *(() if "--json" in words else ("--json",)))
        status, output = skel(capsys, "eval", words[0], run, store, *told)
        assert status == 0, output.err
        result = json.loads(output.out)
        assert result["protocol"] == protocol
        assert 0 <= next(iter(result["metrics"].values()))["value"] <= 1
    assert (result["tag"], result["settings"]["epochs"]) == ("aimclr", 100)
    linear = [result for result in results_of(Run.open(run)) if result.protocol == "linear"]
    assert len(linear) == 2  # the published probe stands beside the own one
    status, output = skel(capsys, "eval", "transfer", run, store, *short)
    assert json.loads(output.out)["protocol"] == "transfer"
    status, output = skel(capsys, "data", "leaks", store, "--json")
    assert json.loads(output.out)["pairs"] == []
    status, output = skel(capsys, "eval", "fuse", run, run, store, "--weights", "0.6", "0.4", "--json")
    assert status == 0
    assert json.loads(output.out)["weights"] == [0.6, 0.4]
    joint = ["eval", "fuse", run, run, store, "--published", "crossclr", "--json"]
    found = json.loads(skel(capsys, *joint)[1].out)
    assert (found["fusion"], found["tag"], found["settings"]["mean_logits"]) == ("joint", "crossclr", True)
    found = json.loads(skel(capsys, *joint, "--fusion", "late")[1].out)
    assert (found["fusion"], found["settings"]["epochs"]) == ("", [100, 100])
    status, output = skel(capsys, "eval", "fuse", run, store, "--protocol", "knn", "--fusion", "joint")
    assert (status, "go with --protocol linear" in output.err) == (1, True)
    status, output = skel(capsys, "eval", "knn", run, store, "--k", "3", "--tag", "three")
    assert [result.tag for result in results_of(Run.open(run)) if result.title == "3-NN, three"] == ["three"]
    assert "untrained encoder" in output.out
    assert skel(capsys, "show", store, "--clip", "2", "--out", tmp_path / "clip.html")[0] == 0
    assert "as recorded" in (tmp_path / "clip.html").read_text()
    assert skel(capsys, "data", "info", store)[0] == 0
    assert 'name = "simclr"' in skel(capsys, "recipe", "compact")[1].out
    assert "hidden_dim = 512" in skel(capsys, "recipe", "compact", "--full")[1].out
    assert "aimclr" in skel(capsys, "recipe")[1].out


def test_data_commands(capsys, tmp_path):
    """Make recordings as files, import them with several processes, check, convert, merge."""
    few = ("--subjects", "2", "--cameras", "1", "--repetitions", "1", "--classes", "3", "--longest", "40")
    raw, store = tmp_path / "raw", tmp_path / "a.store"
    assert skel(capsys, "data", "synth", tmp_path / "synth.store", *few, "--ntu-folder", raw)[0] == 0
    assert len(list(raw.iterdir())) == 6
    next(raw.iterdir()).write_text("1\n")
    assert skel(capsys, "data", "import", "ntu60", raw, store, "--strict", "--workers", "1")[0] == 1
    assert not list(tmp_path.glob("*a.store*"))
    status, output = skel(capsys, "data", "import", "ntu60", raw, store, "--workers", "2", "--resume")
    assert status == 0
    assert "5 clips, 60 classes, 1 bad file\n" in output.out
    assert "bad file: " in output.err
    assert skel(capsys, "data", "import", "ntu60", raw, store)[0] == 1  # exists
    status, output = skel(
        capsys, "data", "import", "ntu60", raw, store, "--workers", "1", "--overwrite", "--limit", "2"
    )
    assert "2 clips" in output.out
    status, output = skel(capsys, "data", "validate", store)
    assert (status, "all as they were written" in output.out) == (0, True)
    status, output = skel(capsys, "data", "convert", store, tmp_path / "b.store", "--layout", "kinect-20")
    assert "2 clips in layout kinect-20" in output.out
    status, output = skel(
        capsys, "data", "merge", store, tmp_path / "synth.store", "--out", tmp_path / "c.store"
    )
    assert "8 clips" in output.out
    frames = np.lib.format.open_memmap(store / "frames.npy", mode="r+")
    frames[3, 2, 1] += 0.5
    frames.flush()
    status, output = skel(capsys, "data", "validate", store)
    assert (status, "1 fault\n" in output.err) == (1, True)


BVH = """HIERARCHY
ROOT Hips
{
  OFFSET 0 0 0
  CHANNELS 3 Xposition Yposition Zposition
  JOINT Neck
  {
    OFFSET 0 0 5
    CHANNELS 3 Zrotation Xrotation Yrotation
  }
}
MOTION
Frames: 3
Frame Time: 0.05
"""


def test_facts_and_axes(capsys, tmp_path):
    """Import class folders whose bodies lie, turn them, give other labels, write and convert the joints."""
    for name in ("walk/ann/a", "run/bob/a", "run/bob/c", "walk/ann/d"):
        file = tmp_path / "set" / f"{name}.bvh"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(BVH + "1 2 3 0 0 0\n" * 3)
    words = ("data", "import", "bvh", tmp_path / "set", tmp_path / "a.store", "--workers", "1")
    status, output = skel(capsys, *words)
    assert (status, "--classes-from '{}/*/*'" in output.err) == (1, True)
    words = (*words, "--classes-from", "{}/*/*", "--subjects-from", "*/{}/*")
    status, output = skel(capsys, *words)
    assert (status, "2 classes" in output.out, "bodies stand along z" in output.err) == (0, True, True)
    assert "bodies stand along z" in skel(capsys, "data", "info", tmp_path / "a.store")[1].err
    status, output = skel(capsys, *words, "--overwrite", "--up", "auto")
    assert "turned so that y points up; in the source z does" in output.err
    assert "bodies stand" not in skel(capsys, "data", "info", tmp_path / "a.store")[1].err
    (tmp_path / "labels.csv").write_text("name,class\na,sit\nc,stand\n")
    status, output = skel(capsys, "data", "label", tmp_path / "a.store", tmp_path / "labels.csv")
    assert (status, "4 clips, 2 classes, 1 unlabelled" in output.out) == (0, True)
    assert "1 clip is in no row of the table" in output.err
    status, output = skel(capsys, "data", "layout", tmp_path / "set", "--out", tmp_path / "mine.toml")
    assert (status, "2 joints" in output.out) == (0, True)
    words = ("data", "convert", tmp_path / "a.store", tmp_path / "b.store", "--layout")
    status, output = skel(capsys, *words, "ntu-25")
    assert (status, "would fall onto their parents" in output.err) == (1, True)
    status, output = skel(capsys, *words, "ntu-25", "--most-parents", "1")
    assert (status, "left knee: parent, Hips" in output.err) == (0, True)


def test_the_format_that_is_found_and_what_is_left_out_are_told(capsys, tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.bvh").write_text(BVH + "1 2 3 0 0 0\n" * 3)
    (tmp_path / "set" / "a.c3d").write_text("x")
    status, output = skel(capsys, "data", "import", "auto", tmp_path / "set", tmp_path / "a.store")
    assert (status, "set looks like bvh" in output.err) == (0, True)
    assert "not read: 1 .c3d; import them by themselves" in output.err


def test_formats_are_listed(capsys):
    status, output = skel(capsys, "data", "formats")
    assert status == 0
    assert [line.split()[0] for line in output.out.splitlines()[1:]] == list(READERS)


@pytest.mark.parametrize("no_color", ["", "1"])
def test_help_has_colours_on_a_terminal_unless_no_color_is_set(capsys, monkeypatch, no_color):
    monkeypatch.setitem(tyro._experimental_options, "ansi_codes", True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    with pytest.raises(SystemExit):
        main(["show", "--help"])
    assert ("\033[" in capsys.readouterr().out) == (not no_color)


def test_a_long_import_says_where_it_is_without_a_terminal(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("skel_recipes.common.progress.LONGEST_SILENCE", 0)
    np.save(tmp_path / "a.npy", np.random.default_rng(0).normal(size=(20, 25, 3)))
    arguments = [str(tmp_path), str(tmp_path / "a.store"), "--layout", "ntu-25", "--workers", "1"]
    status, output = skel(capsys, "data", "import", "npy", *arguments)
    assert status == 0
    assert "npy: 1 clip\n" in output.err


COMMANDS = [
    f"{name} {inner}".strip()
    for name, one in _COMMANDS.items()
    for inner in (one if isinstance(one, dict) else [""])
]


@pytest.mark.parametrize("command", [*COMMANDS, *(f"eval {name}" for name in PROTOCOLS)])
def test_help_shows_an_example(capsys, command):
    with pytest.raises(SystemExit):
        main([*command.split(), "--help"])
    assert re.search(rf"Example: skel {command}(\n| [a-z])", capsys.readouterr().out)


def test_help_of_a_recipe_lists_its_settings(capsys):
    with pytest.raises(SystemExit):
        main(["pretrain", "compact", "--help"])
    lines = capsys.readouterr().out.splitlines()
    assert any(line.split() == ["--train.epochs", "150"] for line in lines)
    assert any(line.split() == ["--method.hidden_dim", "512"] for line in lines)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["pretrian"], "no command 'pretrian'; did you mean pretrain?"),
        (["eval", "lineer", "run", "store"], "skel eval: no command 'lineer'; did you mean linear?"),
        (["data", "imprt"], "skel data: no command 'imprt'; did you mean import?"),
    ],
)
def test_wrong_commands_are_answered_with_the_nearest(capsys, words, message):
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["--version"],
        ["list", "encoders"],
        ["recipe", "compact"],
        ["evl"],
        ["eval", "linear", "run", "store", "--wrong-flag"],
        ["eval", "semi"],
        ["embed", "--wrong-flag"],
    ],
)
def test_answers_that_need_no_torch(words):
    code = (
        "import sys\nfrom skel_recipes.cli import main\n"
        f"try:\n    main({words})\nexcept SystemExit:\n    pass\n"
        "assert not {'torch', 'numpy'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("linear run store --epochz 3", "skel eval linear: no option --epochz; did you mean --epochs?"),
        ("finetune run store --strengths 1", "no option --strengths; did you mean"),
        ("knn run store --k five", "skel eval knn: --k expects a whole number"),
        ("semi run store --fraction", "--fraction expects a number"),
        ("zero-shot run store --head mlp", "--head expects ridge or smie or infocpl"),
        ("clustering run store --split --json", "--split expects a value"),
        ("robustness --json", "skel eval robustness: expected a run, or features in an .npz"),
    ],
)
def test_wrong_options_of_protocols(capsys, words, message):
    with pytest.raises(SystemExit) as end:
        main(["eval", *words.split()])
    assert end.value.code == 2
    assert message in capsys.readouterr().err


def _names(kind):
    """Fields of an attrs class, with those of fields that are attrs classes."""
    for one in attrs.fields(attrs.resolve_types(kind, include_extras=False)):
        inner = [part for part in (one.type, *get_args(one.type)) if attrs.has(part)]
        view = one.type == View | None
        yield from [one.name] if view or not inner else [name for part in inner for name in _names(part)]


@pytest.mark.parametrize("name", PROTOCOLS)
def test_settings_of_protocols_are_read_from_their_source(name):
    assert set(PROTOCOLS.settings(name)) == set(_names(PROTOCOLS[name]))


def test_demo(capsys, tmp_path):
    status, output = skel(capsys, "demo", "--out", tmp_path / "demo", "--epochs", "1")
    assert status == 0
    assert "best simple baseline: " in output.out
    assert (tmp_path / "demo" / "run" / "report.html").exists()
    assert skel(capsys, "demo", "--out", tmp_path / "demo")[0] == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["pretrain", "compact"], "expected: skel pretrain RECIPE STORE --out RUN"),
        (["pretrain", "compact", "no.store", "--out", "run"], "no store at no.store"),
        (["pretrain", "--resume", "no", "--out", "run"], "--resume takes only"),
        (["pretrain", "compact", "no.store", "--out", "run", "--train.epochz", "3"], "unknown key epochz"),
        (["pretrain", "compact", "no.store", "--out", "run", "--set", "epochs"], "KEY=VALUE"),
        (["pretrain", "compact", "s", "--train.epochs", "--out", "run"], "--train.epochs expects a value"),
        (["pretrain", "compact", "s", "--out", "run", "--train.epochs"], "--train.epochs expects a value"),
        (["pretrain", "no.store", "compact", "--out", "run"], "no recipe 'no.store'; there are"),
        (["data", "import", "ntu61", "x", "y"], "ntu61"),
        (
            ["data", "import", "json:loads", "x", "y"],
            "reader 'json:loads' must be",
        ),
        (["data", "import", "utd-mhad", "missing.tar.xz", "y"], "missing.tar.xz"),
        (["eval", "linear", "no", "no.store"], "no run at no"),
        (["eval", "fuse", "no.store"], "expected: skel eval fuse RUN [RUN ...] STORE"),
        (["eval", "fuse", "no", "no.store", "--k", "5"], "--k goes with --protocol knn, not with linear"),
        (["pretrain", "crossclr", "no.store", "--out", "run", "--data.stream", "joint"], "across streams"),
        (["pretrain", "compact", "no.store", "--out", "run", "--data.stream", "bones"], "joined by +"),
        (["show", "no.store"], "no store at no.store"),
        (["eval", "linear", "no.npz"], "no features at no.npz"),
        (["eval", "linear", "no.npz", "--tag", "x"], "takes no --tag"),
        (["eval", "linear", "no", "no.store", "--published", "svm"], "no published protocol is called 'svm'"),
        (["eval", "finetune", "no", "no.store", "--published", "aimclr"], "has no fine-tuning"),
        (["eval", "finetune", "no", "no.store", "--view", "compact.view"], "no run at no"),
        (["embed", "no", "no.store", "out.npz"], "no run at no"),
    ],
)
def test_errors_are_told_in_a_sentence(capsys, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    status, output = skel(capsys, *words)
    assert status == 1
    assert message in output.err
    assert "Traceback" not in output.err
    assert not list(tmp_path.iterdir())
