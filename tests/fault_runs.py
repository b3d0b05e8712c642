"""One small training of each method, run by tools/train.py in a process."""

import copy
import json
import os

import cv2
import numpy as np
import tiny_learn
import tiny_ofer
import tiny_recon
import toy_dea
from forked import context, run_here
from mmengine.config import Config

ROOT = tiny_learn.ROOT
CLASSES, IMAGES, BATCH = 3, 4, 4  # twelve images: three steps
STEPS = CLASSES * IMAGES // BATCH
EPOCHS = 5
PREPROCESSOR = dict(mean=[127.5] * 3, std=[60.0] * 3, num_classes=CLASSES)
BACKBONE = dict(
    type='ResNet_CIFAR',
    depth=18,
    stem_channels=8,
    base_channels=8,
    out_indices=(3,),
)
ADAMW = dict(optimizer=dict(type='AdamW', lr=1e-3))
FACES = dict(mean=tiny_ofer.MEAN, std=tiny_ofer.STD, num_classes=7)


def learn():
    """LEARN between a frozen backbone and a frozen head."""
    return dict(
        model=dict(
            type='mmocc.LEARNClassifier',
            data_preprocessor=PREPROCESSOR,
            backbone=BACKBONE,
            neck=[
                dict(
                    type='mmocc.LEARN',
                    in_channels=64,
                    init_cfg=dict(
                        type='Kaiming', layer=['Conv2d', 'ConvTranspose2d']
                    ),
                ),
                dict(type='GlobalAveragePooling'),
            ],
            head=dict(
                type='LinearClsHead',
                num_classes=CLASSES,
                in_channels=64,
                topk=1,
            ),
            occluder=dict(
                type='mmocc.BatchOccluder', kinds=('white', 'noise')
            ),
            loss_intra=dict(type='mmocc.IntraClassLatentLoss'),
            loss_inter=dict(type='mmocc.InterClassLatentLoss'),
            clean_pass=True,
        ),
        optim_wrapper=dict(
            constructor='mmocc.TrainableOptimWrapperConstructor', **ADAMW
        ),
    )


def hide_and_seek():
    """A localizer from whose training images patches are hidden."""
    return dict(
        model=dict(
            type='ImageClassifier',
            data_preprocessor=dict(
                type='mmocc.HidingDataPreprocessor',
                hide=dict(
                    type='mmocc.BatchHideAndSeek', grid_sizes=(0, 8, 16)
                ),
                **PREPROCESSOR,
            ),
            backbone=BACKBONE,
            head=dict(
                type='mmocc.CAMHead',
                num_classes=CLASSES,
                in_channels=64,
                topk=1,
            ),
        ),
        optim_wrapper=ADAMW,
    )


def dea():
    """Detector and decoder, trained together."""
    loading = [
        dict(type='LoadImageFromFile'),
        dict(type='LoadAnnotations', with_bbox=True),
    ]
    return dict(
        default_scope='mmdet',
        model=dict(toy_dea.MODEL, frozen_detector=False),
        dataset=dict(
            type='CocoDataset',
            data_root='pages',
            ann_file='pages.json',
            data_prefix=dict(img=''),
            metainfo=dict(classes=toy_dea.CLASSES),
            pipeline=[
                *loading,
                dict(type='RandomFlip', prob=0.5),
                dict(type='PackDetInputs'),
            ],
        ),
        optim_wrapper=ADAMW,
    )


def reconstruct():
    """Stage 3 of Latent-OFER: three optimizers, against two critics."""
    return dict(
        model=dict(
            tiny_recon.MODEL,
            data_preprocessor=FACES,
            mask=dict(share=(0.1, 0.5)),
        ),
        optim_wrapper=tiny_recon.OPTIM,
    )


def recognise():
    """Stage 4 of Latent-OFER: the expression; stages before are frozen."""
    return dict(
        model=dict(
            type='mmocc.LatentOFER',
            data_preprocessor=FACES,
            extractor=tiny_ofer.EXTRACTOR,
            # With random weights, it finds a third of the patches occluded.
            detector=dict(tiny_ofer.MAE_ERROR, radius=1.14),
            reconstructor=tiny_ofer.MAE_RECON,
            backbone=tiny_ofer.BACKBONE,
            head=tiny_ofer.HEAD,
        ),
        optim_wrapper=ADAMW,
    )


def mae():
    """Stage 1 of Latent-OFER."""
    return dict(
        model=dict(
            tiny_ofer.MAE,
            data_preprocessor=dict(
                type='SelfSupDataPreprocessor',
                mean=tiny_ofer.MEAN,
                std=tiny_ofer.STD,
                to_rgb=True,
            ),
        ),
        optim_wrapper=ADAMW,
    )


def svdd():
    """Stage 2 of Latent-OFER."""
    return dict(
        model=dict(
            type='mmocc.PatchSVDD',
            data_preprocessor=FACES,
            extractor=tiny_ofer.EXTRACTOR,
            dims=(16, 8),
        ),
        optim_wrapper=dict(
            constructor='mmocc.TrainableOptimWrapperConstructor', **ADAMW
        ),
    )


IMAGE_SET = dict(
    type='CustomDataset',
    data_root='images',
    pipeline=[
        dict(type='LoadImageFromFile'),
        *tiny_learn.AUGMENT,
        dict(type='PackInputs'),
    ],
)
LOADER = dict(
    batch_size=BATCH,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=True),
)
RUN = dict(
    custom_imports=dict(imports=['mmocc', 'fault_hooks']),
    default_scope='mmpretrain',
    train_cfg=dict(by_epoch=True, max_epochs=EPOCHS),
    param_scheduler=dict(
        type='CosineAnnealingLR', T_max=EPOCHS, convert_to_iter_based=True
    ),
    default_hooks=dict(
        logger=dict(type='LoggerHook', interval=1),
        checkpoint=dict(type='CheckpointHook', interval=1, max_keep_ckpts=1),
    ),
    custom_hooks=[
        dict(type='mmocc.EpochSeedHook'),
        dict(type='KillHook'),
        dict(type='BallastHook'),
    ],
    randomness=dict(seed=0),
    work_dir='work',
)
METHODS = dict(
    learn=learn,
    hide_and_seek=hide_and_seek,
    dea=dea,
    reconstruct=reconstruct,
    recognise=recognise,
)
STAGES = dict(METHODS, mae=mae, svdd=svdd)


def write(folder, method, **changes):
    """Write images and ``config.py`` of a method; return the config's path.

    Every method learns from the same twelve images or pages.
    """
    write_images(folder / 'images')
    write_pages(folder / 'pages')
    own = copy.deepcopy(STAGES[method]())
    loader = dict(LOADER, dataset=own.pop('dataset', IMAGE_SET))
    cfg = Config({**RUN, **own, 'train_dataloader': loader})
    cfg.merge_from_dict(changes)
    cfg.dump(folder / 'config.py')
    return folder / 'config.py'


def write_images(folder):
    """Write some images of each class, which has a colour."""
    rng = np.random.default_rng(0)
    for label in range(CLASSES):
        (folder / str(label)).mkdir(parents=True)
        for index in range(IMAGES):
            pixels = rng.integers(0, 120, (32, 32, 3), np.uint8)
            pixels[..., label] += 120
            cv2.imwrite(str(folder / str(label) / f'{index}.png'), pixels)


def write_pages(folder):
    """Write pages of marks, and their list in COCO's format."""
    folder.mkdir()
    images, annotations = [], []
    for number in range(CLASSES * IMAGES):
        marks = toy_dea.PAGES[number % len(toy_dea.PAGES)]
        marks = [
            (kind, x, y, size - number // 4) for kind, x, y, size in marks
        ]
        image, _ = toy_dea.page(marks)
        name = f'{number}.png'
        cv2.imwrite(str(folder / name), image.permute(1, 2, 0).numpy())
        size = dict(height=toy_dea.SIDE, width=toy_dea.SIDE)
        images.append(dict(id=number, file_name=name, **size))
        for kind, x, y, side in marks:
            annotations.append(
                dict(
                    id=len(annotations),
                    image_id=number,
                    category_id=kind,
                    bbox=[x, y, side, side],
                    area=side**2,
                    iscrowd=0,
                )
            )
    names = enumerate(toy_dea.CLASSES)
    content = dict(
        images=images,
        annotations=annotations,
        categories=[dict(id=i, name=name) for i, name in names],
    )
    (folder / 'pages.json').write_text(json.dumps(content))


def start(folder, *arguments, prepare=None):
    """Start ``tools/train.py config.py`` in a folder, in its own process.

    ``prepare`` is called in the process before. What is written to the screen
    goes to ``log.txt``.
    """
    command = [ROOT / 'tools/train.py', 'config.py', *arguments]
    log = str(folder / 'log.txt')
    process = context().Process(
        target=run_here,
        args=([str(a) for a in command], folder, dict(os.environ)),
        kwargs=dict(outputs=[log, log], prepare=prepare),
    )
    process.start()
    return process


def end(process, folder, code=0, timeout=120):
    """Wait for a run, and check its exit code; return its log."""
    process.join(timeout)
    if process.exitcode is None:
        process.kill()
    log = (folder / 'log.txt').read_text()
    assert process.exitcode == code, log[-5000:]
    return log


def train(folder, *arguments, code=0, prepare=None):
    """Run to the end; return the log."""
    return end(start(folder, *arguments, prepare=prepare), folder, code)
