import attrs
import pytest

from skel_augment import Shear
from skel_data import ClipShape, get_layout
from skel_recipes import dump_recipe, load_recipe, recipe_names


@pytest.mark.parametrize("name", recipe_names())
def test_resolved_recipe_reads_back(name, tmp_path):
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.summary
    (tmp_path / "again.toml").write_text(dump_recipe(recipe))
    assert load_recipe(tmp_path / "again.toml") == recipe


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("train.epochz", 3, r"unknown key epochz \(did you mean epochs\?\) @ recipe\.train"),
        ("method.view.1.degres", 3, r"yaw.*degres.*@ recipe\.method"),
        ("method.view.1.degrees", "wide", r"@ recipe\.method"),
        ("method.view.77.degrees", 3, "'77' is not an index into a list"),
        ("train.epochs.x", 3, "'epochs' holds 150, not a table"),
        ("train.epochs", 0, r"epochs.*@ recipe\.train"),
        ("train.batch_size", "many", r"@ recipe\.train\.batch_size"),
        ("train.epochs", 1.5, r"expected a whole number, got 1\.5 @ recipe\.train\.epochs"),
        ("train.epochs", True, r"expected a whole number, got True @ recipe\.train\.epochs"),
        ("data.pipeline.face", "False", r"expected true or false, got 'False' @ recipe\.data\.pipeline"),
        (
            "data.pipeline.name",
            "agcn",
            r"no pipeline 'agcn'; did you mean 'agcn300'.*data\.pipeline",
        ),
        ("data.pipeline", "agcn300", r"expected a table with the name of the pipeline, got 'agcn300'"),
        ("optim.optimizer", "lars", r"lars.*@ recipe\.optim\.optimizer"),
        ("data.stream", "sound", r"stream.*@ recipe\.data"),
        ("method.name", "simsiam", r"@ recipe\.method"),
    ],
)
def test_wrong_settings_are_named_by_their_path(key, value, message):
    with pytest.raises(ValueError, match=f"(?s){message}"):
        load_recipe("compact", {key: value})


def test_unknown_recipes(tmp_path):
    with pytest.raises(ValueError, match="no recipe 'comact'; did you mean 'compact'"):
        load_recipe("comact")
    with pytest.raises(FileNotFoundError):
        load_recipe(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("name = ")
    with pytest.raises(ValueError, match="not a TOML file"):
        load_recipe(tmp_path / "bad.toml")


def test_base_is_laid_under(tmp_path):
    (tmp_path / "wide.toml").write_text('base = "compact"\n[train]\nepochs = 7\n')
    (tmp_path / "wider.toml").write_text(
        'base = "wide.toml"\n[encoder]\nname = "stgcn"\nbase_channels = 64\n'
    )
    recipe = load_recipe(tmp_path / "wider.toml")
    assert recipe.name == "wider"
    assert recipe.train.epochs == 7
    assert recipe.method == load_recipe("compact").method
    assert recipe.encoder.settings["base_channels"] == 64


def test_recipe_cannot_be_its_own_base(tmp_path):
    (tmp_path / "a.toml").write_text('base = "b.toml"')
    (tmp_path / "b.toml").write_text('base = "a.toml"')
    with pytest.raises(ValueError, match="its own base"):
        load_recipe(tmp_path / "a.toml")


def test_overrides_reach_into_views_and_change_kinds():
    recipe = load_recipe("compact", {"method.view.0.name": "shear", "method.view.0.amplitude": 0.3})
    assert recipe.method.view.steps[0] == Shear(amplitude=0.3)
    assert recipe.method.view.steps[1:] == load_recipe("compact").method.view.steps[1:]
    narrow = load_recipe("compact", {"encoder.base_channels": 8, "encoder.name": "stgcn"})
    assert narrow.encoder.settings["base_channels"] == 8
    assert load_recipe("aimclr", {"method.extreme": "aimclr.extreme-released"}) != load_recipe("aimclr")


def test_epochs_that_are_typed_win_over_the_steps_of_the_recipe():
    assert load_recipe("compact").train.length(8) == 900
    assert load_recipe("compact", {"train.epochs": 50}).train.length(8) == 50
    both = {"train.epochs": 50, "train.min_steps": 60}
    assert load_recipe("compact", both).train.length(8) == 60


def test_every_argument_of_an_encoder_can_be_set():
    stgcn = {"encoder.name": "stgcn"}
    recipe = load_recipe("aimclr", stgcn | {"encoder.strategy": "uniform", "encoder.skip_absent": False})
    encoder = recipe.encoder.build(ClipShape(get_layout("utd-20"), 16))
    assert (encoder.strategy, encoder.skip_absent) == ("uniform", False)
    with pytest.raises(ValueError, match="no setting 'stategy'; did you mean 'strategy'"):
        load_recipe("aimclr", stgcn | {"encoder.stategy": "uniform"})


@pytest.mark.parametrize("name", [name for name in recipe_names() if "/" not in name])
def test_settings_out_of_range_are_refused_with_the_recipe(name):
    wrong = {"temperature": 0.0, "momentum": 1.5, "weight": -1.0}
    settings = load_recipe(name).method
    for field in attrs.fields(type(settings)):
        value = next((value for end, value in wrong.items() if field.name.endswith(end)), None)
        if value is not None and isinstance(getattr(settings, field.name), float):
            with pytest.raises(ValueError, match=field.name):
                load_recipe(name, {f"method.{field.name}": value})
    with pytest.raises(ValueError, match="final_weight_decay needs a weight_decay above 0"):
        load_recipe(name, {"optim.weight_decay": 0.0, "optim.final_weight_decay": 0.2})


@pytest.mark.parametrize("method", ["mamp", "mae", "stars"])
def test_published_clips_of_pku_mmd_are_not_centred(method):
    assert not load_recipe(f"paper/{method}-pku-mmd-2-xsub-joint").data.pipeline.centred
    assert load_recipe(f"paper/{method}-ntu60-xsub-joint").data.pipeline.centred
