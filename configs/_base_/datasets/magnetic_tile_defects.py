"""Magnetic tiles: the defects are the objects, cracks are outside ones.

A detector learns four kinds of defects; for the fifth it is an anomaly.
"""

_base_ = './magnetic_tile.py'

known = ('Blowhole', 'Break', 'Fray', 'Uneven')
metainfo = dict(classes=known)
# Half of the good images and of each known kind are for training.
layout_args = dict(train_share=0.5, train_kinds=('good', *known))

train_dataloader = dict(
    dataset=dict(boxes='defects', metainfo=metainfo, layout_args=layout_args)
)
val_dataloader = dict(
    dataset=dict(boxes='defects', metainfo=metainfo, layout_args=layout_args)
)
test_dataloader = dict(
    dataset=dict(boxes='defects', metainfo=metainfo, layout_args=layout_args)
)
