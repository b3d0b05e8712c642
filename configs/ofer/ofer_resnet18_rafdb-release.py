"""Like ofer_resnet18_rafdb.py, with the head of the authors' release.

474,719,997 parameters in backbone and head; the same 78 patches of each face.
"""

_base_ = './ofer_resnet18_rafdb.py'

model = dict(
    head=dict(
        keys='spatial',  # the release has no class maps
        selector=dict(mode='box'),
        readout=dict(
            _delete_=True, type='mmocc.LatentMLP', in_dims=512, num_tokens=78
        ),
    )
)
