from .config.library import recipe_names as recipe_names
from .config.recipe import EncoderConfig as EncoderConfig
from .config.recipe import Published as Published
from .config.recipe import Recipe as Recipe
from .config.recipe import dump_recipe as dump_recipe
from .config.recipe import load_recipe as load_recipe
from .evaluate.embed import Windows as Windows
from .evaluate.embed import classify_windows as classify_windows
from .evaluate.embed import embed_recordings as embed_recordings
from .evaluate.embed import embed_windows as embed_windows
from .evaluate.estimator import SkeletonFeatures as SkeletonFeatures
from .evaluate.evaluate import evaluate as evaluate
from .evaluate.finetune import FineTune as FineTune
from .evaluate.finetune import SemiSupervised as SemiSupervised
from .evaluate.finetune import Transfer as Transfer
from .evaluate.inputs import EvaluationInputs as EvaluationInputs
from .evaluate.protocols import PROTOCOLS as PROTOCOLS
from .evaluate.report import report as report
from .evaluate.robustness import Robustness as Robustness
from .methods import METHODS as METHODS
from .methods import MethodSettings as MethodSettings
from .methods.context import MethodContext as MethodContext
from .run.run import Run as Run
from .train.trainer import build_method as build_method
from .train.trainer import pretrain as pretrain
from .train.trainer import resume as resume

__version__: str
