"""What all runs share; the names are mmengine's and mmpretrain's."""

custom_imports = dict(imports=['mmocc'], allow_failed_imports=False)
default_scope = 'mmpretrain'

default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(
        type='mmocc.SafeCheckpointHook', interval=1, max_keep_ckpts=2
    ),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    visualization=dict(type='VisualizationHook', enable=False),
    # Stops at a NaN loss; a GPU is waited for at each 50th step only.
    invalid_loss=dict(type='mmocc.InvalidLossHook', interval=50),
    # For class maps only: where their cells lie in the image.
    map_cells=dict(type='mmocc.MapCellsHook'),
)
# With persistent_workers=False in the training loader, a resumed run is the
# same as an uninterrupted one (on a CPU: to the last bit).
custom_hooks = [dict(type='mmocc.EpochSeedHook')]
randomness = dict(seed=0)

env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'),
)
vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(type='UniversalVisualizer', vis_backends=vis_backends)
log_level = 'INFO'
load_from = None
resume = False
