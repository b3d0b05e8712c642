"""Fine-tuning a model of ImageNet on ImageNet for localization.

As clovaai/wsolevaluation: SGD with Nesterov momentum, 32 images a step, a
tenth of the rate every 3 of 10 epochs, the last checkpoint is tested. Its
rates were searched for each method and are not published; 1e-3 is a choice.
A config gives its new layers ten times the rate (``paramwise_cfg``).
"""

optim_wrapper = dict(
    optimizer=dict(
        type='SGD', lr=1e-3, momentum=0.9, weight_decay=5e-4, nesterov=True
    )
)
param_scheduler = [dict(type='MultiStepLR', milestones=[3, 6, 9], gamma=0.1)]
train_cfg = dict(by_epoch=True, max_epochs=10, val_interval=1)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=32)
