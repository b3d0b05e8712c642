r"""Hide-and-Seek's ensemble: scores of five AlexNet-GAP, maps of four.

Only for testing, with the checkpoint that this writes::

    cd work_dirs; python ../tools/model_converters/join_checkpoints.py \
        alexnet-gap_ensemble.pth \
        alexnet-gap_{cam,has16,has32,has44,has56}_in1k/epoch_55.pth
"""

_base_ = './alexnet-gap_cam_in1k.py'

model = dict(
    _delete_=True,  # the one model
    type='mmocc.CAMEnsemble',
    models=[_base_.model] * 5,
    map_models=(1, 2, 3, 4),  # not of the one without hiding
)
