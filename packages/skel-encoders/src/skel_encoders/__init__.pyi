from .agcn import AGCN as AGCN
from .ctrgcn import CTRGCN as CTRGCN
from .decoder import TokenDecoder as TokenDecoder
from .export import export_encoder as export_encoder
from .graph import adjacency as adjacency
from .dste import DSTE as DSTE
from .gru import (
    GRU as GRU,
    GRUDecoder as GRUDecoder,
    last_frame as last_frame,
    reverse_time as reverse_time,
)
from .hcn import HCN as HCN
from .intermediate import IntermediateFeatures as IntermediateFeatures
from .jbf import JBF as JBF
from .pretrained import from_pretrained as from_pretrained, save_pretrained as save_pretrained
from .published import load_published as load_published
from .registry import ENCODERS as ENCODERS, create_encoder as create_encoder
from .registry import encoder_settings as encoder_settings, list_encoders as list_encoders
from .scd import SCDEncoder as SCDEncoder
from .slim import SLiM as SLiM, SLiMTokens as SLiMTokens
from .stgcn import STGCN as STGCN
from .tcn import TCN as TCN
from .training import (
    checkpoint_blocks as checkpoint_blocks,
    freeze_layers as freeze_layers,
    layer_groups as layer_groups,
)
from .transformer import Transformer as Transformer
from .umurl import UmURL as UmURL

__version__: str
