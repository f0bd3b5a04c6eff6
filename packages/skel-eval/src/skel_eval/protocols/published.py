"""Evaluation settings of published programs; docs/evaluation.md tells what is not the same here."""

from attrs import define, evolve

from skel_eval.protocols.finetune import Finetune
from skel_eval.protocols.linear import SGD, Adam, LinearProbe


@define(frozen=True)
class PublishedProtocol:
    """How a published program evaluates an encoder, read from that program, for NTU RGB+D 60 cross-subject.

    Attributes:
        name: Name of the method.
        source: The program: repository, commit, files.
        linear: Linear probe; the seed is not the program's.
        finetune: Settings of `finetune`; None if the program comes without them.
        layer_decay: Fine-tuning: layer-wise learning-rate decay, from a layer to the one before it.
    """

    name: str
    source: str
    linear: LinearProbe
    finetune: Finetune | None = None
    layer_decay: float = 1.0


_CROSSCLR = LinearProbe(SGD(drop_last=True))
_MOCO = SGD(epochs=80, batch_size=64, learning_rate=0.1, milestones=(50, 70), init_std=0.01)
_SCDNET = LinearProbe(evolve(_MOCO, batch_size=1024, learning_rate=2.0))
_UMURL = SGD(epochs=150, batch_size=512, learning_rate=0.03, milestones=(120, 140), init_std=0.01)
# The program of CRRL names epochs 15, 35, 50, 66 and 75; its learning rate falls two epochs later each time.
_CRRL = SGD(
    epochs=85,
    batch_size=16,
    learning_rate=0.1,
    milestones=(17, 37, 52, 68, 77),
    gamma=0.5,
    nesterov=True,
    init_std=0.01,
)
_ALL = (
    PublishedProtocol(
        "crossclr",
        "github.com/LinguoLi/CrosSCLR 792b70c: config/linear_eval, processor/linear_evaluation.py",
        _CROSSCLR,
    ),
    PublishedProtocol(
        "aimclr",
        "github.com/Levigty/AimCLR 6cd7376: config/*/linear_eval, processor/linear_evaluation.py",
        _CROSSCLR,
    ),
    PublishedProtocol(
        "cmcs",
        "github.com/Levigty/CMCS e3d0bbf: config/*/*/linear_eval*, processor/knn_monitor.py",
        _CROSSCLR,
    ),
    PublishedProtocol(
        "isc",
        "github.com/fmthoker/skeleton-contrast bacd86a: action_*.py, options",
        LinearProbe(_MOCO),
    ),
    PublishedProtocol(
        "cmd",
        "github.com/maoyunyao/CMD 6e9a8ac: action_*_cmd*.py, script_action_*.sh, options",
        LinearProbe(_MOCO),
        Finetune(),
    ),
    PublishedProtocol(
        "scdnet",
        "github.com/cong-wu/SCD-Net 0af1b19: README.md, action_*.py, options",
        _SCDNET,
    ),
    PublishedProtocol(
        "hico",
        "github.com/HuiGuanLab/HiCo cf39a93: run_action_*.sh, action_*.py, options",
        _SCDNET,
    ),
    PublishedProtocol(
        "mamp",
        "github.com/maoyunyao/MAMP 09e6252: main_linprobe.py, main_finetune.py, script_*.sh, config",
        LinearProbe(
            SGD(
                batch_size=256,
                drop_last=True,
                learning_rate=0.1,
                schedule="cosine",
                per_step=True,
                batch_norm=True,
                init_std=0.01,
            )
        ),
        Finetune(
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
        layer_decay=0.8,
    ),
    PublishedProtocol(
        "pstl",
        "github.com/YujieOuO/PSTL da95ce1: config.py, procedure.py, model.py, logger.py",
        LinearProbe(Adam(epochs=150, schedule="cosine", init="xavier")),
        Finetune(epochs=150, batch_size=128, optimizer="adam", learning_rate=5e-3, schedule="cosine"),
    ),
    PublishedProtocol(
        "umurl",
        "github.com/HuiGuanLab/UmURL 744278b: script_action_*.sh, action_*.py, options",
        LinearProbe(_UMURL),
    ),
    PublishedProtocol(
        "usdrl",
        "github.com/wengwanjiang/USDRL 7e83bb6: scripts, action_*.py, options",
        LinearProbe(evolve(_UMURL, epochs=160, learning_rate=0.006)),
    ),
    PublishedProtocol(
        "crrl",
        "github.com/Picasso-Wang/CRRL 4d06d50: src/parse_args_for_evaluation.py, src/main_evaluation.py",
        LinearProbe(_CRRL),
        Finetune(
            epochs=_CRRL.epochs,
            batch_size=_CRRL.batch_size,
            learning_rate=0.01,
            head_learning_rate=_CRRL.learning_rate,
            milestones=_CRRL.milestones,
            gamma=_CRRL.gamma,
            nesterov=True,
        ),
    ),
)
PUBLISHED_PROTOCOLS = {protocol.name: protocol for protocol in _ALL}


def published_protocol(name: str) -> PublishedProtocol:
    """The evaluation protocol of a published method; `PUBLISHED_PROTOCOLS` has all of them by name.

    Raises:
        ValueError: If none of that name is known.
    """
    if name not in PUBLISHED_PROTOCOLS:
        known = ", ".join(sorted(PUBLISHED_PROTOCOLS))
        raise ValueError(f"no published protocol is called {name!r}; known are {known}")
    return PUBLISHED_PROTOCOLS[name]
