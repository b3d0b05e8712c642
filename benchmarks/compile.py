"""How much faster torch.compile and channels-last are, for each method.

    python -m benchmarks.compile [--quick] [--only NAME ...] [--json FILE]

Each case predicts with the model of a method's small config, in float32.
``compile`` compiles its forward pass (torch's default backend; the time to
compile does not count). ``channels-last`` uses weights and images in that
layout. Both are compared with the plain model; the benchmark fails if their
outputs differ.

Predicted before the first run, for a CPU: compiled 1.2 times as fast for the
ResNets (batch normalisation and ReLU in one pass), 1.1 for DEA and
Latent-OFER, which are compiled in part; channels-last 1.0 to 1.1.
"""

import argparse
import copy
import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import partial

import torch
from mmengine.logging import MMLogger
from torch import Tensor, nn

from benchmarks import ddp
from benchmarks.timing import Rivals, add_arguments, run_cases

Forward = Callable[[Tensor], tuple[Tensor, ...]]
COMPILERS = ('g++', 'clang++')  # one of them, for code on a CPU


def forward_of(name: str, model: nn.Module) -> Forward:
    """Return the forward pass of a model as a function of images.

    Args:
        name: A key of :data:`benchmarks.ddp.MAKERS`.
        model: The model, in evaluation mode.

    Returns:
        A function of normalised images (N, 3, H, W) that returns tensors. For
        DEA: what the head predicts, and one redrawn region for each page, as
        the regions are decided outside of the network.
    """
    if name != 'dea':
        return lambda inputs: (model(inputs, mode='tensor'),)

    def dea(inputs: Tensor) -> tuple[Tensor, ...]:
        feats = model.extract_feat(inputs)
        scores, deltas = model.bbox_head(feats)
        rois = inputs.new_tensor([[0, 4, 4, 44, 44]] * len(feats))
        levels = torch.arange(len(feats), device=inputs.device)
        pictures = model.decoder(model.roi_extractor(feats, rois, levels))
        return (*scores, *deltas, pictures)

    return dea


def check(ours: tuple[Tensor, ...], other: tuple[Tensor, ...]) -> None:
    """Raise AssertionError if outputs differ by more than float32 does."""
    torch.testing.assert_close(ours, other, rtol=1e-3, atol=1e-4)


def prepare(name: str, folder: str) -> tuple[nn.Module, Tensor]:
    """Return a model in evaluation mode, and normalised images for it."""
    model, data, _ = ddp.MAKERS[name](folder, 0)
    model.eval()
    with torch.no_grad():
        inputs = model.data_preprocessor(data, False)['inputs']
    return model, inputs


def compiled(name: str, folder: str, backend: str = 'inductor') -> Rivals:
    """Return a model's forward compiled, and as it is."""
    model, inputs = prepare(name, folder)
    plain = forward_of(name, model)
    torch.compiler.reset()
    fast = torch.compile(plain, backend=backend, dynamic=False)
    return rivals(f'{name}: compiled', fast, inputs, plain, inputs)


def channels_last(name: str, folder: str) -> Rivals:
    """Return a model in the channels-last layout, and as it is."""
    model, inputs = prepare(name, folder)
    other = copy.deepcopy(model).to(memory_format=torch.channels_last)
    turned = inputs.to(memory_format=torch.channels_last)
    ways = forward_of(name, other), forward_of(name, model)
    return rivals(f'{name}: channels-last', ways[0], turned, ways[1], inputs)


def rivals(
    title: str, ours: Forward, mine: Tensor, other: Forward, theirs: Tensor
) -> Rivals:
    """Return both, after a check that their outputs are the same."""
    ours, other = (torch.no_grad()(work) for work in (ours, other))
    check(ours(mine), other(theirs))
    return Rivals(
        f'{title}, times faster, batch {len(mine)}',
        partial(ours, mine),
        partial(other, theirs),
        per=len(mine),
        faster=True,
    )


def can_compile() -> bool:
    """Return whether a GPU or a compiler is there, as inductor needs."""
    return torch.cuda.is_available() or any(map(shutil.which, COMPILERS))


def cases(folder: str) -> Iterator[tuple[str, Callable[[], Rivals]]]:
    """Yield names of cases and what sets each up."""
    for name in ddp.MAKERS:
        if can_compile():
            yield f'compile-{name}', partial(compiled, name, folder)
        yield f'channels-last-{name}', partial(channels_last, name, folder)


def main() -> None:
    """Measure, print one table, and write it."""
    parser = argparse.ArgumentParser(
        description='Measure compiled models and the channels-last layout'
    )
    add_arguments(parser, 15, 'compile-learn or channels-last')
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    if not can_compile():
        print(f'compile: left out, needs one of {", ".join(COMPILERS)}')
    MMLogger.get_instance('mmengine', log_level='ERROR')
    with tempfile.TemporaryDirectory() as folder:
        run_cases(cases(folder), args)


if __name__ == '__main__':
    main()
