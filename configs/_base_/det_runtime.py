"""What every run of a detector shares; the names are mmdet's."""

_base_ = './default_runtime.py'

default_scope = 'mmdet'
default_hooks = dict(
    visualization=dict(_delete_=True, type='DetVisualizationHook')
)
visualizer = dict(type='DetLocalVisualizer')
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=8)
