"""The extra ``torch``: what works without any of OpenMMLab's packages.

Each part is a process in which an import of mmengine, mmcv, mmdet, mmpretrain
or pycocotools fails as if it were not installed.
"""

import json
import pkgutil
import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch
from conftest import ROOT
from mmengine.logging import HistoryBuffer
from torchvision.models import squeezenet1_1

PACKAGES = ('occlusion', 'transforms', 'report', 'evaluation')
# Thin classes for mm's runner, and what is about mm's detectors.
NEED_MM = {
    'mmocc.evaluation.dump_maps',
    'mmocc.evaluation.dump_objects',
    'mmocc.evaluation.image_anomaly_metric',
    'mmocc.evaluation.known_class_coco_metric',
    'mmocc.evaluation.localization_accuracy',
    'mmocc.evaluation.max_box_acc',
    'mmocc.evaluation.mean_class_accuracy',
    'mmocc.evaluation.object_anomaly_metric',
    'mmocc.evaluation.patch_occlusion_metric',
    'mmocc.evaluation.px_ap',
    'mmocc.evaluation.reconstruction_quality',
    'mmocc.evaluation.summed_metric',
    'mmocc.evaluation.temporal_localization',
    'mmocc.report.det_examples',
    'mmocc.report.detections',
    'mmocc.report.detectors',
    'mmocc.report.listed_images',
    'mmocc.report.occluded_coco',
    'mmocc.report.occlusion_cells',
    'mmocc.report.run_detectors',
}
BLOCK = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
BLOCKED = set({{blocked!r}})
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in BLOCKED:
            raise ModuleNotFoundError(
                f'No module named {{{{name!r}}}}', name=name.split('.')[0]
            )
sys.meta_path.insert(0, Block())
"""
MM = ('mmcv', 'mmdet', 'mmengine', 'mmpretrain', 'pycocotools')


def run(code, folder, blocked=MM):
    """Run code in a folder, where packages cannot be imported."""
    done = subprocess.run(
        [sys.executable, '-c', BLOCK.format(blocked=blocked) + code],
        capture_output=True,
        text=True,
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def modules(package):
    """Return the names of all modules of a package of mmocc, and its own."""
    path = str(ROOT / 'mmocc' / package)
    inner = pkgutil.iter_modules([path], f'mmocc.{package}.')
    return [f'mmocc.{package}', *(module.name for module in inner)]


def test_every_module_of_the_extra_is_importable(tmp_path):
    names = [name for package in PACKAGES for name in modules(package)]
    assert set(names) > NEED_MM
    code = f"""
import importlib
for name in {names!r}:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        assert error.name in BLOCKED, (name, error)
        print(name)
"""
    assert set(run(code, tmp_path).split()) == NEED_MM


def test_the_core_needs_torch_numpy_opencv_and_pillow_alone(tmp_path):
    others = (
        'defusedxml',
        'jinja2',
        'matplotlib',
        'pandas',
        'rich',
        'scipy',
        'skimage',
        'sklearn',
        'torchvision',
    )
    names = [*modules('occlusion'), *modules('transforms')]
    code = f"""
import importlib
for name in {names!r}:
    importlib.import_module(name)
import numpy as np
from mmocc.transforms import Occlude
image = np.zeros((40, 40, 3), np.uint8)
hidden = np.asarray(Occlude(kind='white', level='L2')(image)) == 255
print(0.4 <= hidden.all(-1).mean() < 0.6)
"""
    assert run(code, tmp_path, (*MM, *others)).split() == ['True']


REPORT = """
import json, sys
import torch
import mmocc

torch.manual_seed(0)
model = torch.nn.Sequential(
    torch.nn.AdaptiveAvgPool2d(4), torch.nn.Flatten(), torch.nn.Linear(48, 2)
)
report = mmocc.occlusion_report(
    {'small': model}, 'images', kinds=['white', 'object'], levels=['L2'],
    out=sys.argv[1] if len(sys.argv) > 1 else 'report', examples=1,
)
numbers = {
    cell: [answers.pred.tolist(), answers.share.tolist()]
    for cell, answers in report.answers['small'].items()
}
print('answers:', json.dumps(numbers))
"""


def answers(out):
    """Return the line of the answers."""
    (line,) = (x for x in out.splitlines() if x.startswith('answers:'))
    return line


@pytest.fixture
def images(tmp_path):
    """Write a folder of two classes with two pictures each."""
    draw = np.random.default_rng(0)
    for label in ('cat', 'dog'):
        (tmp_path / 'images' / label).mkdir(parents=True)
        for number in range(2):
            pixels = draw.integers(256, size=(50, 60, 3), dtype=np.uint8)
            path = tmp_path / 'images' / label / f'{number}.png'
            cv2.imwrite(str(path), pixels)
    return tmp_path


def test_the_report_of_a_torch_model_is_the_same_without_mm(images):
    without = run(REPORT, images)
    page = images / 'report' / 'occlusion.html'
    assert page.is_file()
    page.unlink()
    # A run beside mm reads its answers back, as nothing decisive differs.
    beside = run(REPORT, images, ())
    assert 'not reused' not in beside
    assert answers(beside) == answers(without)
    assert page.is_file()


ABSENT = """
import mmocc
from mmocc import cli, datasets, evaluation, models
from mmocc.datasets import transforms
wanted = (
    (models, 'LEARN'), (evaluation, 'PxAP'),
    (datasets, 'VOCObjects'), (transforms, 'Occlude'),
)
for place, name in wanted:
    try:
        getattr(place, name)
    except ImportError as error:
        print(error)
try:
    mmocc.occlusion_report({'a': ('config.py', 'weights.pth')}, out='report')
except ImportError as error:
    print(error)
try:
    cli.main(['train', 'config.py'])
except SystemExit as stop:
    print(stop.code)
"""


def test_what_needs_mm_names_its_extra(tmp_path):
    lines = run(ABSENT, tmp_path).splitlines()
    names = ('mmocc.LEARN', 'mmocc.PxAP', 'mmocc.VOCObjects', 'mmocc.Occlude')
    hosts = ('mmengine', 'mmengine', 'mmpretrain', 'mmcv')
    for line, name, host in zip(lines[:4], names, hosts, strict=True):
        assert line == (
            f'{name} needs {host}, which is not installed; '
            'pip install "mmocc[cls]" brings it'
        )
    assert lines[4].startswith("'a', a model of an mm config, needs mmengine")
    assert lines[5].startswith('mmocc train: mmengine is not installed; pip')
    assert 'mmocc[cls]' in lines[5]
    assert len(lines) == 6


def test_the_report_without_torchvision_names_the_extra(tmp_path):
    code = """
import mmocc
try:
    mmocc.occlusion_report
except ImportError as error:
    print(error)
"""
    assert run(code, tmp_path, (*MM, 'torchvision')).strip() == (
        'mmocc.occlusion_report needs torchvision, which is not installed; '
        'pip install "mmocc[torch]" brings it'
    )


COMMAND = """
import torch
from torchvision.models import squeezenet1_1
from mmocc import cli

def report(weights, *words):
    cli.main([
        'report', '--torchvision', 'squeezenet1_1',
        '--checkpoint', f'squeezenet1_1={weights}', '--data', 'images',
        '--builtin-banks', '--kinds', 'white', '--examples', '1',
        '--out', 'report', *words,
    ])
"""
SAVE = """
torch.manual_seed(0)
torch.save(squeezenet1_1(num_classes=2).state_dict(), 'w.pth')
"""


def test_the_command_reports_on_named_models_without_mm(images):
    out = run(COMMAND + SAVE + "report('w.pth')", images)
    assert 'squeezenet1_1' in out and 'L3' in out
    pages = ('occlusion.html', 'occlusion.json')
    without = json.loads((images / 'report' / pages[1]).read_text('utf-8'))
    assert without['meta']['command'].startswith('mmocc report --torchvision')
    for page in pages:
        (images / 'report' / page).unlink()
    beside = run(COMMAND + "report('w.pth')", images, ())
    assert 'not reused' not in beside
    again = json.loads((images / 'report' / pages[1]).read_text('utf-8'))
    assert again['models'] == without['models']


UNTRUSTED = """
class Code:
    def __reduce__(self):
        return print, ('it ran',)

torch.save(dict(squeezenet1_1(num_classes=2).state_dict(), x=Code()), 'w.pth')
try:
    report('w.pth')
except SystemExit as stop:
    print(stop.code)
"""


def test_code_in_a_checkpoint_does_not_run_without_mm(images):
    out = run(COMMAND + UNTRUSTED, images)
    assert 'it ran' not in out
    assert 'w.pth holds print, which is neither a weight' in out
    assert '--trust-checkpoint' in out
    out = run(COMMAND + "report('w.pth', '--trust-checkpoint')", images)
    assert 'it ran' in out
    assert (images / 'report/occlusion.html').is_file()


def test_a_checkpoint_of_mmengine_is_read_without_it(images):
    log = HistoryBuffer([1.0], [1])
    state = squeezenet1_1(num_classes=2).state_dict()
    content = dict(state_dict=state, message_hub=dict(log_scalars=dict(a=log)))
    torch.save(content, images / 'w.pth')
    run(COMMAND + "report('w.pth')", images)
    assert (images / 'report/occlusion.html').is_file()


CONFIG = """
from mmocc import cli
for words in (
    ['config.py', 'w.pth'],
    ['mmpretrain::resnet/resnet50_8xb32_in1k'],
    ['--timm', 'a', '--data', 'b', '--launcher', 'pytorch'],
    ['--timm', 'a', '--data', 'b', '--cfg-options', 'c=1'],
):
    try:
        cli.main(['report', '--builtin-banks', *words])
    except SystemExit as stop:
        print(stop.code)
"""


def test_what_needs_mm_of_the_command_names_the_extra(tmp_path):
    lines = run(CONFIG, tmp_path).splitlines()
    starts = (
        'the config config.py',
        'the config mmpretrain::resnet/resnet50_8xb32_in1k',
        '--launcher',
        '--cfg-options',
    )
    for line, start in zip(lines, starts, strict=True):
        assert line == (
            f'{start} needs mmengine, which is not installed; '
            'pip install "mmocc[cls]" brings it'
        )
