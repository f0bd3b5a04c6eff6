"""The evaluation protocols of published programs, as data."""

from attrs import define, evolve

from skel_eval._finetune_settings import Finetune
from skel_eval._linear_settings import LinearProbe


@define(frozen=True)
class Neighbours:
    """Settings of `knn`, whose arguments they are.

    Attributes:
        k: Neighbours that vote.
        temperature: Temperature of their weights; without effect for k = 1.
    """

    k: int = 1
    temperature: float = 0.1


@define(frozen=True)
class PublishedProtocol:
    """How a published program evaluates an encoder, read from that program, for NTU RGB+D 60 cross-subject.

    Crops are shares of the frames of a clip, smallest and largest; they are resized to the encoder's length
    afterwards. Where the two differ, training draws a share and a place for every clip in every epoch, so
    features that are cached once are those of one draw or of the test crop. Equal ones are a centre crop.

    Attributes:
        name: Name of the method.
        source: The program: repository, commit, files.
        linear: Settings of `linear_probe`; the seed is not the program's.
        neighbours: Settings of `knn`; None if the program has no nearest neighbours.
        finetune: Settings of `finetune`; None if the program comes without them.
        layer_decay: Fine-tuning: factor of the learning rate from a layer to the one before it.
        train_crop: Crop of the train clips of the linear probe.
        test_crop: Crop of the test clips.
        frozen: What is frozen while the linear classifier is trained, and how.
        test_selection: How test clips decide which epoch the program reports. Here it is the last one.
        differs: What is not the same here, with these settings and on cached features.
        other_sets: What the program does otherwise for other data sets or splits.
    """

    name: str
    source: str
    linear: LinearProbe
    neighbours: Neighbours | None = None
    finetune: Finetune | None = None
    layer_decay: float = 1.0
    train_crop: tuple[float, float] = (1.0, 1.0)
    test_crop: tuple[float, float] = (1.0, 1.0)
    frozen: str = "the encoder, in eval mode"
    test_selection: str = "tested after every epoch; the best epoch is reported"
    differs: str = ""
    other_sets: str = ""

    @property
    def chosen_on_test(self) -> bool:
        """Whether the program reports an epoch that was chosen on test clips."""
        return bool(self.test_selection)


_EVERY_5 = "tested every 5 epochs; the best of them is reported"
_CROSSCLR = PublishedProtocol(
    name="crossclr",
    source="github.com/LinguoLi/CrosSCLR 792b70c: config/linear_eval, processor/linear_evaluation.py",
    linear=LinearProbe(solver="sgd", drop_last=True),
    test_selection=_EVERY_5,
    differs="Heads of the three streams are trained together, on the mean of their logits; here one by one.",
)
_AIMCLR = evolve(
    _CROSSCLR,
    name="aimclr",
    source="github.com/Levigty/AimCLR 6cd7376: config/*/linear_eval, processor/linear_evaluation.py",
    differs=(
        "The program for fine-tuning comes without settings; it trains all weights in eval mode, as "
        "Finetune(mode='eval') does."
    ),
)
_CMCS = evolve(
    _CROSSCLR,
    name="cmcs",
    source="github.com/Levigty/CMCS e3d0bbf: config/*/*/linear_eval*, processor/knn_monitor.py",
    neighbours=Neighbours(k=20, temperature=0.1),
    differs=(
        "The heads of the three streams are trained together, on the sum of their logits; here one by one. "
        "Nearest neighbours are those of the projector's output, during pretraining. The programs for "
        "fine-tuning and few labels come without settings; they train all weights in eval mode, as "
        "Finetune(mode='eval') does."
    ),
)
_ISC = PublishedProtocol(
    name="isc",
    source="github.com/fmthoker/skeleton-contrast bacd86a: action_*.py, options",
    linear=LinearProbe(
        solver="sgd", epochs=80, batch_size=64, learning_rate=0.1, milestones=(50, 70), init_std=0.01
    ),
    neighbours=Neighbours(),
    train_crop=(0.5, 1.0),
    test_crop=(0.95, 0.95),
    differs=(
        "The probe sees another crop of each train clip in every epoch. Nearest neighbours are looked for "
        "among centre crops of 0.95 of train and test clips, without eval mode."
    ),
)
_CMD = evolve(
    _ISC,
    name="cmd",
    source="github.com/maoyunyao/CMD 6e9a8ac: action_*_cmd*.py, script_action_*.sh, options",
    finetune=Finetune(),
    test_selection=_EVERY_5,
    differs=(
        "The probe and fine-tuning see another crop of each train clip in every epoch. Nearest neighbours "
        "are looked for among centre crops of 0.95 of train and test clips. Few labels are drawn from all "
        "train clips, not class by class, without a seed, 5 times."
    ),
    other_sets="Transfer to PKU-MMD II is fine-tuning with all labels and the same settings.",
)
_SCDNET = evolve(
    _ISC,
    name="scdnet",
    source="github.com/cong-wu/SCD-Net 0af1b19: README.md, action_*.py, options",
    linear=evolve(_ISC.linear, batch_size=1024, learning_rate=2.0),
    train_crop=(0.95, 0.95),
    differs="",
)
_HICO = evolve(
    _SCDNET,
    name="hico",
    source="github.com/HuiGuanLab/HiCo cf39a93: run_action_*.sh, action_*.py, options",
)
_MAMP = PublishedProtocol(
    name="mamp",
    source="github.com/maoyunyao/MAMP 09e6252: main_linprobe.py, main_finetune.py, script_*.sh, config",
    linear=LinearProbe(
        solver="sgd",
        batch_size=256,
        drop_last=True,
        learning_rate=0.1,
        schedule="cosine",
        per_step=True,
        batch_norm=True,
        init_std=0.01,
    ),
    finetune=Finetune(
        epochs=100,
        batch_size=48,
        drop_last=True,
        optimizer="adamw",
        learning_rate=3e-4,
        weight_decay=0.05,
        schedule="cosine",
        per_step=True,
        min_learning_rate=1e-5,
        warmup_epochs=5,
        label_smoothing=0.1,
    ),
    train_crop=(0.5, 1.0),
    test_crop=(0.95, 0.95),
    test_selection="tested after every epoch; the best and every other accuracy are printed",
    layer_decay=0.8,
    differs=(
        "The probe and fine-tuning see another crop of each train clip, rotated by up to 0.3 rad about each "
        "axis, in every epoch. Batches are those of two GPUs together, but BatchNorm has statistics of each "
        "half. Fine-tuning has a head with a hidden layer of 2048 units on the features of all joints, and a "
        "stochastic depth of 0.3 (the encoder's)."
    ),
    other_sets=(
        "Linear probe on PKU-MMD I: batch_size 128; on PKU-MMD II: batch_size 32, learning_rate 0.01. PKU- "
        "MMD encoders are those after epoch 300 of 400."
    ),
)
_PSTL = PublishedProtocol(
    name="pstl",
    source="github.com/YujieOuO/PSTL da95ce1: config.py, procedure.py, model.py, logger.py",
    linear=LinearProbe(solver="adam", epochs=150, schedule="cosine", init="xavier"),
    finetune=Finetune(epochs=150, batch_size=128, optimizer="adam", learning_rate=5e-3, schedule="cosine"),
    differs=(
        "The accuracy is the mean over batches, in which the last, smaller one counts as much as the "
        "others. The head of fine-tuning starts from Xavier's normal weights."
    ),
)
_UMURL = PublishedProtocol(
    name="umurl",
    source="github.com/HuiGuanLab/UmURL 744278b: script_action_*.sh, action_*.py, options",
    linear=LinearProbe(
        solver="sgd", epochs=150, batch_size=512, learning_rate=0.03, milestones=(120, 140), init_std=0.01
    ),
    neighbours=Neighbours(),
    test_selection=_EVERY_5,
)
_USDRL = evolve(
    _UMURL,
    name="usdrl",
    source="github.com/wengwanjiang/USDRL 7e83bb6: scripts, action_*.py, options",
    linear=evolve(_UMURL.linear, epochs=160, learning_rate=0.006),
    other_sets=(
        "learning_rate 0.03 on NTU RGB+D 60 cross-view and 0.01 on PKU-MMD II, there with train crops of "
        "0.5 to 1."
    ),
)
_CRRL = PublishedProtocol(
    name="crrl",
    source="github.com/Picasso-Wang/CRRL 4d06d50: src/parse_args_for_evaluation.py, src/main_evaluation.py",
    linear=LinearProbe(
        solver="sgd",
        epochs=85,
        batch_size=16,
        learning_rate=0.1,
        milestones=(17, 37, 52, 68, 77),
        gamma=0.5,
        nesterov=True,
        init_std=0.01,
    ),
    neighbours=Neighbours(),
    finetune=Finetune(
        epochs=85,
        batch_size=16,
        learning_rate=0.01,
        head_learning_rate=0.1,
        milestones=(17, 37, 52, 68, 77),
        gamma=0.5,
        nesterov=True,
    ),
    differs=(
        "The program names epochs 15, 35, 50, 66 and 75, and its learning rate falls two epochs later each "
        "time, as here. In fine-tuning its first fall sets the encoder's learning rate to that of the head, "
        "from 0.01 up to 0.05; here it falls with the head's. Clips keep their own length."
    ),
    other_sets="Transfer to PKU-MMD II is fine-tuning with 41 classes and the same settings.",
)

PUBLISHED_PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        _CROSSCLR, _AIMCLR, _CMCS, _ISC, _CMD, _SCDNET, _HICO, _MAMP, _PSTL, _UMURL, _USDRL, _CRRL
    )
}  # fmt: skip


def published_protocol(name: str) -> PublishedProtocol:
    """The evaluation protocol of a published method; `PUBLISHED_PROTOCOLS` has all of them by name.

    Raises:
        ValueError: If none of that name is known.
    """
    if name not in PUBLISHED_PROTOCOLS:
        known = ", ".join(sorted(PUBLISHED_PROTOCOLS))
        raise ValueError(f"no published protocol is called {name!r}; known are {known}")
    return PUBLISHED_PROTOCOLS[name]
