"""Speed of Latent-OFER: prediction by stages, and the gain of the cache.

    python -m benchmarks.ofer_stages [--quick] [--only NAME ...] [--json FILE]

``share``: the share of one stage in a whole ``predict``, from uint8 photos to
data samples. The stages are the detector, the extractor (latents of the masked
photo), the reconstructor, and recognition; or, of weakened features, the
detector, the features (network, tokens, weakening) and the head.

``epoch``: how many times faster an epoch of stage 4 is with the outputs of
the frozen stages on disk than without; the loading of images is left out.

Models are those of the configs, with random weights; 30 % of the patches are
hidden, as in the mask of the release (59 of 196).
"""

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from mmpretrain.models import ImageClassifier
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

from benchmarks.timing import Rivals, run_benchmark
from mmocc.utils.cli import without_weights

CONFIGS = Path(__file__).parents[1] / 'configs' / 'ofer'
SIZES = (  # config, batch, side of the images
    ('ofer_resnet18_cartoon', 32, 64),
    ('ofer_resnet18_rafdb', 4, 224),
)
WEAKENED = ('weakened_lite0_my_faces', 4, 224)  # likewise
EPOCH = 4  # batches
HIDDEN = 59 / 196
STAGES = ('detector', 'extractor', 'reconstructor', 'recognition')
WEAKENED_STAGES = ('detector', 'features', 'head')


def device() -> torch.device:
    """Return the GPU if there is one."""
    return torch.device('cuda' if torch.cuda.is_available() else 'cpu')


def build(name: str, cache: str | None = None) -> ImageClassifier:
    """Build a config's model with random weights, in evaluation mode."""
    cfg = Config.fromfile(CONFIGS / f'{name}.py')
    model = without_weights(cfg.model.to_dict())
    model.update(data_preprocessor=cfg.data_preprocessor)
    model.pop('cache', None)
    if cache:
        model.update(cache=cache)
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        built = MODELS.build(model)
    return built.to(device()).eval()


def batch_of(number: int, side: int, seed: int = 0) -> dict:
    """Return photos and labels as a dataloader gives them."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(number, 3, 8, 8, generator=generator)
    photos = torch.nn.functional.interpolate(coarse, side, mode='bicubic')
    photos = (255 * photos).clamp(0, 255).to(torch.uint8)
    samples = [DataSample().set_gt_label(i % 7) for i in range(number)]
    return dict(inputs=photos, data_samples=samples)


@torch.no_grad()
def fit_detector(model: ImageClassifier, data: dict) -> torch.Tensor:
    """Make the detector hide as many patches as the release.

    Returns:
        (N, 3, H, W), the normalised photos.
    """
    detector = model.stages.detector
    detector.centre.fill_(0.1)
    detector.fit([data])  # a kernel, if it has one
    images = model.data_preprocessor(data, False)['inputs']
    distances = detector.patch_distances(images).cpu()
    detector.radius.fill_(distances.quantile(1 - HIDDEN))
    return images


def stage_calls(
    model: ImageClassifier, images: torch.Tensor
) -> dict[str, Callable[[], object]]:
    """Return a call of each stage for a batch of normalised photos."""
    stages = model.stages
    mask = stages.detector.detect(images).mask
    tokens = stages.extractor(images, mask)
    outputs = stages(images)
    latents = dict(latents=outputs.latents, grid=outputs.grid)

    def recognise() -> object:
        return model.head.predict(model.extract_feat(outputs.faces), **latents)

    return dict(
        detector=partial(stages.detector.detect, images),
        extractor=partial(stages.extractor, images, mask),
        reconstructor=partial(
            stages.reconstructor.reconstruct, images, mask, tokens
        ),
        recognition=recognise,
    )


def weakened_calls(
    model: ImageClassifier, data: dict
) -> dict[str, Callable[[], object]]:
    """Fit the statistics to photos; return a call of each stage for them."""
    model.fit([data])
    images = model.data_preprocessor(data, False)['inputs']
    distances = model.distances(images)
    read = model.read(images, distances)
    return dict(
        detector=partial(model.distances, images),
        features=partial(model.read, images, distances),
        head=partial(model.head.predict, read),
    )


def share(stage: str, name: str, batch: int, side: int) -> Rivals:
    """Return a stage, and the whole prediction that it is a part of."""
    model, data = build(name), batch_of(batch, side)
    with torch.no_grad():
        if name == WEAKENED[0]:
            calls = weakened_calls(model, data)
        else:
            calls = stage_calls(model, fit_detector(model, data))
    return Rivals(
        f'{stage} / predict, {name} at {side} px, batch {batch}',
        torch.no_grad()(calls[stage]),
        torch.no_grad()(partial(model.test_step, data)),
        per=batch,
    )


def epoch(name: str, batch: int, side: int) -> Rivals:
    """Return an epoch from a filled cache, and one without a cache."""
    folder = tempfile.TemporaryDirectory()
    works = []
    for cache in (folder.name, None):
        model = build(name, cache)
        batches = [batch_of(batch, side, seed) for seed in range(EPOCH)]
        fit_detector(model, batches[0])
        cfg = Config.fromfile(CONFIGS / f'{name}.py')
        optim_wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
        works.append(partial(train, model.train(), batches, optim_wrapper))
    cached, uncached = works

    def from_cache(keep: object = folder) -> None:
        cached()  # the folder lives as long as this

    return Rivals(
        f'cached epoch, times faster, {name} at {side} px, batch {batch}',
        from_cache,
        uncached,
        per=EPOCH * batch,
        faster=True,
    )


def train(
    model: ImageClassifier, batches: list[dict], optim_wrapper: object
) -> None:
    """Train on all batches once."""
    for data in batches:
        model.train_step(data, optim_wrapper)


def cases() -> Iterator[tuple[str, Callable[[], Rivals]]]:
    """Yield the name of each case and the function that sets it up."""
    for name, batch, side in SIZES:
        for stage in STAGES:
            yield (
                f'share-{stage}-{name}',
                partial(share, stage, name, batch, side),
            )
        yield f'epoch-{name}', partial(epoch, name, batch, side)
    for stage in WEAKENED_STAGES:
        yield f'share-{stage}-{WEAKENED[0]}', partial(share, stage, *WEAKENED)


def main() -> None:
    """Measure, print one table, and write it."""
    run_benchmark(
        cases, 'Measure the speed of Latent-OFER', 9, 'cartoon or weakened'
    )


if __name__ == '__main__':
    main()
