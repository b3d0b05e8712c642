"""What redrawing costs DEA, compared with its detector alone.

    python -m benchmarks.dea [--quick] [--only NAME ...] [--json FILE]

Each case predicts one page with SSD300-VGG16 (``mmocc.SSDIoUHead``, 20
classes, random weights, a threshold that gives 200 objects), and with
``mmocc.DEA`` around the same detector, which adds RoIAlign, the decoder, crops
of the page and scores. ``conv`` and ``fc`` score by Pearson only,
``conv-all`` by every single score except the latent distance, ``conv-seven``
by that and both fusions as well, compared with 256 normal objects. ``decode``
compares the decoders, convolutional with fully connected, for 200 objects.

Predicted before the first run, for a CPU: 1.25 times the detector's time with
the convolutional decoder (7.1 of the detector's 31 billion multiplications,
RoIAlign and crops), 1.6 with the fully connected one (15.5), 1.5 with all
scores (mostly SSIM's blur); ``decode`` 0.6 of the fully connected. Before the
first run of ``conv-seven``: 0.02 more than ``conv-all``.
"""

import copy
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from torch import Tensor, nn

from benchmarks.timing import Rivals, run_benchmark
from mmocc.models.dea.anomaly_judge import Redrawing
from mmocc.models.dea.anomaly_scores import FUSIONS

CONFIG = Path(__file__).parents[1] / 'configs/dea/ssd300_diou_voc0712.py'
TARGET = 1.30
OBJECTS = 200
SIDE = 300
EXTRACTOR = dict(
    type='mmocc.PriorLevelRoIExtractor',
    in_channels=[512, 1024, 512, 256, 256, 256],
    featmap_strides=[8, 16, 32, 64, 100, 300],
    sampling_ratio=0,
)
PARTS = {
    'conv': dict(
        roi_extractor=dict(EXTRACTOR, out_channels=256, output_size=8),
        decoder=dict(type='mmocc.ConvDecoder', in_channels=256),
    ),
    'fc': dict(
        roi_extractor=dict(EXTRACTOR, out_channels=1024, output_size=5),
        decoder=dict(type='mmocc.FCDecoder', in_channels=1024),
    ),
}
ALL = ('pearson', 'mse', 'ssim', 'confidence')
SEVEN = (*ALL, 'latent', *FUSIONS)
NORMAL = 256  # objects to compare with


def build(**parts: dict) -> nn.Module:
    """Build SSD300, or DEA with these parts around it."""
    register_all_modules(init_default_scope=False)
    init_default_scope('mmdet')
    cfg = Config.fromfile(CONFIG).model
    cfg.backbone.init_cfg = None
    if parts:
        cfg.update(type='mmocc.DEA', **copy.deepcopy(parts))
    torch.manual_seed(0)
    model = MODELS.build(cfg)
    model.init_weights()
    return model.eval()


def page() -> tuple[Tensor, list[DetDataSample]]:
    """Return a normalised image and its sample."""
    rng = np.random.default_rng(0)
    image = torch.tensor(rng.normal(0, 60, (1, 3, SIDE, SIDE))).float()
    size = (SIDE, SIDE)
    meta = dict(img_shape=size, ori_shape=size, scale_factor=(1.0, 1.0))
    return image, [DetDataSample(metainfo=meta)]


@torch.no_grad()
def predict(model: nn.Module, inputs: Tensor, samples: list) -> int:
    """Predict once; return the number of objects."""
    (sample,) = model.predict(inputs, copy.deepcopy(samples))
    return len(sample.pred_instances)


@torch.no_grad()
def find_threshold(model: nn.Module, inputs: Tensor, samples: list) -> float:
    """Return the highest confidence that gives 200 objects."""
    scores, _ = model.bbox_head(model.extract_feat(inputs))
    classes = model.bbox_head.num_classes + 1
    rows = [level.permute(0, 2, 3, 1).reshape(-1, classes) for level in scores]
    every = torch.cat(rows).softmax(1)[:, :-1].flatten().sort().values
    cfg = model.bbox_head.test_cfg
    for candidates in range(OBJECTS, len(every), 100):
        cfg.score_thr = float(every[-candidates])
        if predict(model, inputs, samples) >= OBJECTS:
            return cfg.score_thr
    raise RuntimeError(f'the detector does not find {OBJECTS} objects')


@torch.no_grad()
def normal_objects(dea: nn.Module, channels: int) -> Redrawing:
    """Return redrawings of random features, as normal objects."""
    features = torch.randn(NORMAL, channels, 8, 8)
    recons = dea.decoder(features)
    confidence = torch.rand(NORMAL)
    latents = features.mean((2, 3))
    return Redrawing(recons, torch.rand_like(recons), latents, confidence)


def over_detector(kind: str, scores: tuple[str, ...]) -> Rivals:
    """Return DEA and the detector alone, on one page."""
    plain = build()
    dea = build(
        **PARTS[kind],
        judge=dict(scores=scores, anomaly_score='pearson'),
    )
    dea.load_state_dict(plain.state_dict(), strict=False)
    if 'latent' in scores:
        dea.judge.fit(normal_objects(dea, dea.decoder.in_channels))
    inputs, samples = page()
    threshold = find_threshold(plain, inputs, samples)
    for model in (plain, dea):
        model.bbox_head.test_cfg.score_thr = threshold
        assert predict(model, inputs, samples) == OBJECTS
    decoder = type(dea.decoder).__name__
    return Rivals(
        f'SSD300 + {decoder}, {len(scores)} scores / SSD300, {OBJECTS} '
        'objects',
        partial(predict, dea, inputs, samples),
        partial(predict, plain, inputs, samples),
        target=TARGET if kind == 'conv' and len(scores) == 1 else None,
    )


def decoders() -> Rivals:
    """Return the two decoders, each on features of its own size."""
    register_all_modules(init_default_scope=False)
    init_default_scope('mmdet')
    works = {}
    for kind, parts in PARTS.items():
        model = MODELS.build(dict(parts['decoder'])).eval()
        side = parts['roi_extractor']['output_size']
        channels = parts['roi_extractor']['out_channels']
        works[kind] = partial(
            torch.no_grad()(model), torch.randn(OBJECTS, channels, side, side)
        )
    return Rivals(
        f'ConvDecoder / FCDecoder, {OBJECTS} objects',
        works['conv'],
        works['fc'],
    )


def cases() -> Iterator[tuple[str, Callable[[], Rivals]]]:
    """Yield names of cases and what sets each up."""
    yield 'conv', partial(over_detector, 'conv', ('pearson',))
    yield 'conv-all', partial(over_detector, 'conv', ALL)
    yield 'conv-seven', partial(over_detector, 'conv', SEVEN)
    yield 'fc', partial(over_detector, 'fc', ('pearson',))
    yield 'decode', decoders


def main() -> None:
    """Measure, print one table, and write it."""
    run_benchmark(cases, 'Measure what redrawing costs DEA', 15, 'conv or fc')


if __name__ == '__main__':
    main()
