"""Fine-tuning a model of ImageNet on OpenImages30k for localization.

As clovaai/wsolevaluation: 10 epochs, a tenth of the rate every 3. Its rates
were searched for each method and are not published; 1e-3 is a choice.
"""

_base_ = './wsol_cub.py'

param_scheduler = [dict(type='MultiStepLR', milestones=[3, 6, 9], gamma=0.1)]
train_cfg = dict(by_epoch=True, max_epochs=10, val_interval=1)
