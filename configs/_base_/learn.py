"""The parts of LEARN's training that do not depend on the model.

Put it beside a classifier's config in ``_base_`` and take what you need by
``{{_base_.learn_...}}``. What arXiv 2402.06936 is known to fix: the four
losses, and a frozen classifier. Weights, distances, margin, pairs, occluders
and schedule are choices of this re-implementation.
"""

# White and noise need no files. Add 'texture' and 'object' with texture_bank
# and object_bank: folders of images and of RGBA cut-outs.
learn_occluder = dict(
    type='mmocc.BatchOccluder', kinds=('white', 'noise'), area=(0.2, 0.8)
)
learn_loss_rec = dict(
    type='mmocc.FeatureReconstructionLoss', distance='l2', loss_weight=1.0
)
learn_loss_intra = dict(
    type='mmocc.IntraClassLatentLoss',
    distance='cosine',
    positives='class',  # or 'twin', 'centroid'
    loss_weight=0.1,
)
learn_loss_inter = dict(
    type='mmocc.InterClassLatentLoss',
    distance='cosine',
    margin=0.5,
    loss_weight=0.1,
)
learn_loss_cls = dict(type='mmpretrain.CrossEntropyLoss', loss_weight=1.0)

learn_optim_wrapper = dict(
    _delete_=True,  # the classifier's own, made for all of its parameters
    type='OptimWrapper',
    constructor='mmocc.TrainableOptimWrapperConstructor',
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=1e-4),
)
