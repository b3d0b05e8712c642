"""Try what an extra of mmocc promises, in the environment that has it.

It is run by ``check_extras.sh``, and reads nothing of the checkout.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import mmocc
from mmocc.utils.find_config import find_config, home

TASKS = {  # what "mmocc check" must find ready
    'torch': ['report on torch models'],
    'cls': ['report on torch models', 'classification'],
    'det': ['report on torch models', 'detection'],
    'all': ['report on torch models', 'classification', 'detection'],
}
TYPES = {  # a type of each host, and the extra that brings it
    'LEARNClassifier': 'cls',
    'DEA': 'det',
}


def command(mmocc_command: str, *words: str) -> tuple[int, str]:
    """Return the exit status of the command, and all that it prints."""
    done = subprocess.run(
        [mmocc_command, *words], capture_output=True, text=True
    )
    return done.returncode, done.stdout + done.stderr


def report_on_a_torch_model(folder: Path) -> None:
    """Let a small network be tested on a folder of pictures."""
    draw = np.random.default_rng(0)
    for label in ('cat', 'dog'):
        (folder / 'images' / label).mkdir(parents=True)
        for number in range(3):
            pixels = draw.integers(256, size=(80, 90, 3), dtype=np.uint8)
            path = folder / 'images' / label / f'{number}.png'
            Image.fromarray(pixels).save(path)
    model = torch.nn.Sequential(
        torch.nn.AdaptiveAvgPool2d(4),
        torch.nn.Flatten(),
        torch.nn.Linear(48, 2),
    )
    report = mmocc.occlusion_report(
        {'small': model}, str(folder / 'images'), out=str(folder / 'report')
    )
    assert report.html.is_file(), report.html
    assert 0 <= report.accuracy('L2', 'object') <= 100
    print(report)


def report_by_command(folder: Path, mmocc_command: str) -> None:
    """Let a model of torchvision be tested on the same pictures."""
    from torchvision.models import squeezenet1_1

    weights = folder / 'weights.pth'
    torch.save(squeezenet1_1(num_classes=2).state_dict(), weights)
    status, text = command(
        mmocc_command,
        *('report', '--torchvision', 'squeezenet1_1'),
        *('--checkpoint', f'squeezenet1_1={weights}'),
        *('--data', str(folder / 'images'), '--builtin-banks'),
        *('--out', str(folder / 'command')),
    )
    assert status == 0, text
    assert (folder / 'command' / 'occlusion.html').is_file(), text


def transforms_and_metrics() -> None:
    """Use what needs no host."""
    from mmocc.evaluation.temporal_segments import segment_iou
    from mmocc.transforms import Occlude

    image = np.zeros((60, 60, 3), np.uint8)
    occluded = Occlude(kind='white', level='L2')(image)
    share = (np.asarray(occluded) == 255).all(-1).mean()
    assert 0.4 <= share < 0.6, share
    assert segment_iou([[0, 2]], [[1, 3]]).round(3).tolist() == [[0.333]]


def types_of_hosts(extra: str) -> None:
    """Find the types of a host that is there; the others name their extra."""
    import mmocc.models as models

    for name, needed in TYPES.items():
        if extra in (needed, 'all'):
            assert getattr(models, name).__name__ == name
            continue
        wanted = 'cls' if extra == 'torch' else needed
        try:
            getattr(models, name)
        except ImportError as error:
            assert f'mmocc[{wanted}]' in str(error), error
            print(f'  {error}')
        else:
            raise AssertionError(f'{name} is there without mmocc[{needed}]')


def main() -> None:
    """Try all that is promised; AssertionError if something is not there."""
    extra, mmocc_command = sys.argv[1:]
    assert 'site-packages' in mmocc.__file__, mmocc.__file__
    _, text = command(mmocc_command, 'check')
    for task in TASKS[extra]:
        assert f'{task}: ready' in text, text
    assert (home() / 'tools' / 'train.py').is_file(), home()
    assert Path(find_config('learn/vgg16_voc.py')).is_file()
    for name in ('report', 'train'):
        status, text = command(mmocc_command, name, '--help')
        if extra == 'torch' and name == 'train':  # it reads mmengine's configs
            assert status == 1, text
            assert 'pip install "mmocc[cls]"' in text, text
            assert len(text.splitlines()) == 1, text
            print(f'  {text.strip()}')
        else:
            assert status == 0, text
            assert f'usage: mmocc {name}' in text, text
    transforms_and_metrics()
    with tempfile.TemporaryDirectory() as folder:
        report_on_a_torch_model(Path(folder))
        report_by_command(Path(folder), mmocc_command)
    types_of_hosts(extra)
    if extra != 'torch':
        from mmengine.registry import TRANSFORMS

        assert TRANSFORMS.get('mmocc.Occlude') is not None
    print(f'  {extra}: all that is promised is there')


if __name__ == '__main__':
    main()
