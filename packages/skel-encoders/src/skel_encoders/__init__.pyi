from .agcn import AGCN
from .ctrgcn import CTRGCN
from .export import export_encoder
from .graph import adjacency
from .gru import GRU
from .hcn import HCN
from .pretrained import from_pretrained, save_pretrained
from .published import load_published
from .registry import ENCODERS, create_encoder, encoder_settings, list_encoders
from .scd import SCDEncoder
from .stgcn import STGCN
from .tcn import TCN
from .training import checkpoint_blocks, layer_groups
from .transformer import Transformer

__all__ = [
    "AGCN",
    "CTRGCN",
    "ENCODERS",
    "GRU",
    "HCN",
    "STGCN",
    "TCN",
    "SCDEncoder",
    "Transformer",
    "adjacency",
    "checkpoint_blocks",
    "create_encoder",
    "encoder_settings",
    "export_encoder",
    "from_pretrained",
    "layer_groups",
    "list_encoders",
    "load_published",
    "save_pretrained",
]
__version__: str
