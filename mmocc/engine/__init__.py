"""Hooks and optimizer constructors."""

from mmocc.engine.anomaly_reference_hook import AnomalyReferenceHook
from mmocc.engine.check_classes_hook import CheckClassesHook
from mmocc.engine.check_weights_hook import CheckWeightsHook
from mmocc.engine.epoch_seed_hook import EpochSeedHook
from mmocc.engine.fit_loop import FitLoop, NoOptimWrapperConstructor
from mmocc.engine.fit_radius_hook import FitRadiusHook
from mmocc.engine.hide_features_hook import HideFeaturesHook
from mmocc.engine.invalid_loss_hook import InvalidLossHook
from mmocc.engine.localization_visualization_hook import (
    LocalizationVisualizationHook,
)
from mmocc.engine.map_cells_hook import MapCellsHook
from mmocc.engine.multi_optim_constructor import MultiOptimWrapperConstructor
from mmocc.engine.ofer_visualization_hook import OFERVisualizationHook
from mmocc.engine.reconstruction_visualization_hook import (
    ReconstructionVisualizationHook,
)
from mmocc.engine.safe_checkpoint_hook import SafeCheckpointHook
from mmocc.engine.sample_visualization_hook import SampleVisualizationHook
from mmocc.engine.trainable_constructor import (
    TrainableOptimWrapperConstructor,
)

__all__ = [
    'AnomalyReferenceHook',
    'CheckClassesHook',
    'CheckWeightsHook',
    'EpochSeedHook',
    'FitLoop',
    'FitRadiusHook',
    'HideFeaturesHook',
    'InvalidLossHook',
    'LocalizationVisualizationHook',
    'MapCellsHook',
    'MultiOptimWrapperConstructor',
    'NoOptimWrapperConstructor',
    'OFERVisualizationHook',
    'ReconstructionVisualizationHook',
    'SafeCheckpointHook',
    'SampleVisualizationHook',
    'TrainableOptimWrapperConstructor',
]
