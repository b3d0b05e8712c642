"""What LEARNClassifier asks of a classifier: labels, logits, checkpoints."""

import inspect
import math
from typing import TYPE_CHECKING, Any

import torch
from mmpretrain.models.heads import MultiLabelClsHead
from mmpretrain.structures import DataSample, label_to_onehot
from torch import Tensor, nn

from mmocc.models.feature_maps import last_feature
from mmocc.models.learn.insertion import first_grid
from mmocc.registry import MODELS

if TYPE_CHECKING:
    from mmocc.models.learn.learn_classifier import LEARNClassifier

LOSSES = dict(
    loss_rec='mmocc.FeatureReconstructionLoss',
    loss_intra='mmocc.IntraClassLatentLoss',
    loss_inter='mmocc.InterClassLatentLoss',
    loss_cls='mmpretrain.CrossEntropyLoss',
    loss_distill='mmocc.DistillationLoss',
    loss_last='mmocc.FeatureReconstructionLoss',
)
LABELS = ('data', 'teacher')
PAIRED = {'loss_intra', 'loss_inter'}  # compare images of one class


def check_options(kind: type, options: dict[str, Any]) -> None:
    """Raise ValueError for options that no class of a model's family knows.

    They are those of another classifier class, which a config had before.
    """
    known = {
        name
        for base in kind.__mro__
        for name in inspect.signature(base.__init__).parameters
    }
    unknown = sorted(set(options) - known)
    if unknown:
        raise ValueError(
            f'{kind.__name__} does not know {", ".join(unknown)}: it takes '
            'the parts of an ImageClassifier, and would replace your own '
            'class with all that it does. Register class '
            'MyLEARN(LEARNClassifier, MyClassifier), or take these options out'
        )


def check_inside(
    insert_after: str | None, clean_cache: str | None, loss_last: dict | None
) -> None:
    """Raise ValueError for options that need a LEARN inside the backbone."""
    inside = insert_after is not None and insert_after.startswith('backbone.')
    if loss_last is not None and not inside:
        raise ValueError(
            'loss_last compares what the rest of the backbone makes of a '
            'repaired map: it needs insert_after inside the backbone; '
            'loss_rec is the loss of a LEARN in the neck'
        )
    if clean_cache and insert_after and not inside:
        raise ValueError(
            'clean_cache stores maps of the backbone; it cannot store what '
            f'insert_after={insert_after!r} gives, in the neck'
        )


def choose_losses(
    labels: str, **configs: dict | None
) -> dict[str, dict | None]:
    """Return the configs of the losses that a source of labels needs.

    Args:
        labels: ``data`` or ``teacher``.
        **configs: By name of the loss.

    Raises:
        ValueError: If ``labels`` is neither, or ``loss_cls`` has options
            and there are no labels for it.
    """
    if labels not in LABELS:
        raise ValueError(
            f'unknown labels {labels!r}; choose from {list(LABELS)}'
        )
    if labels == 'data':
        return configs
    if configs['loss_cls']:
        raise ValueError(
            "labels='teacher' trains without the labels that loss_cls needs: "
            'remove loss_cls, and set options of loss_distill instead'
        )
    distill = configs['loss_distill']
    return configs | dict(
        loss_cls=None, loss_distill=dict() if distill is None else distill
    )


def build_losses(
    configs: dict[str, dict | None], head: nn.Module
) -> nn.ModuleDict:
    """Build the losses that are not None, by name.

    Raises:
        ValueError: If all are None, or some do not fit the head.
    """
    used = {name: cfg for name, cfg in configs.items() if cfg is not None}
    if not used:
        raise ValueError('all losses are None: nothing to train LEARN by')
    several = isinstance(head, MultiLabelClsHead)
    if several and PAIRED & set(used):
        raise ValueError(
            f'{type(head).__name__} gives an image several labels, but '
            'loss_intra and loss_inter compare images of one class: set both '
            'to None'
        )
    losses = {
        name: MODELS.build({'type': LOSSES[name], **cfg})
        for name, cfg in used.items()
    }
    for name in ('loss_cls', 'loss_distill') if several else ():
        if getattr(losses.get(name), 'use_sigmoid', None) is False:
            cfg = {'type': LOSSES[name], **used[name], 'use_sigmoid': True}
            losses[name] = MODELS.build(cfg)
    return nn.ModuleDict(losses)


def class_targets(
    samples: list[DataSample], head: nn.Module, losses: nn.ModuleDict
) -> tuple[Tensor | None, Tensor]:
    """Return the labels of N samples, and the targets of their logits.

    Args:
        samples: They have ``gt_label``. If ``loss_cls`` has ``use_soft``, or
            the head takes several labels, ``gt_score`` is enough.
        head: The classifier's.
        losses: Those of :func:`build_losses`.

    Returns:
        (N,) labels, None if images have several or have scores only; and
        targets: the labels, or scores (N, classes).

    Raises:
        ValueError: If a label is missing, is one of several, is no class of
            the head, or is soft and ``loss_cls`` takes hard ones.
    """
    loss_cls = dict(losses).get('loss_cls')
    soft = getattr(loss_cls, 'use_soft', False)
    if isinstance(head, MultiLabelClsHead):
        return None, class_scores(samples, head)
    if soft and not any('gt_label' in sample for sample in samples):
        if PAIRED & set(losses):
            raise ValueError(
                'the samples have gt_score and no gt_label, but loss_intra '
                'and loss_inter compare images of one class: set both to None'
            )
        return None, class_scores(samples, head)
    labels = class_labels(samples, head)
    if soft:
        return labels, class_scores(samples, head)
    if loss_cls is not None and all('gt_score' in x for x in samples):
        scores = class_scores(samples, head)
        if (scores.gather(1, labels[:, None])[:, 0] < scores.sum(1)).any():
            raise ValueError(
                'gt_score is soft, but loss_cls of mmocc.LEARNClassifier '
                'takes hard labels: set loss_cls=dict(use_soft=True), or '
                'remove what makes the labels soft'
            )
    return labels, labels


def class_scores(samples: list[DataSample], head: nn.Module) -> Tensor:
    """Return the (N, classes) scores of samples, 0 or 1 for labels."""
    rows = []
    for sample in samples:
        if 'gt_score' in sample:
            rows.append(sample.gt_score.float())
        else:
            labels = _labels_of(sample)
            check_classes(labels, head)
            rows.append(label_to_onehot(labels, head.num_classes).float())
    return torch.stack(rows)


def _labels_of(sample: DataSample) -> Tensor:
    """Return a sample's labels."""
    if 'gt_label' not in sample:
        raise ValueError(
            'mmocc.LEARNClassifier trains by labels, but '
            f'{sample.get("img_path", "a sample")} has no gt_label; name a '
            'data set with labels'
        )
    return sample.gt_label


def class_labels(samples: list[DataSample], head: nn.Module) -> Tensor:
    """Return the (N,) labels of N samples.

    Raises:
        ValueError: If a sample does not have exactly one label, or the label
            is no class of the head.
    """
    labels = torch.cat([_labels_of(sample) for sample in samples])
    if len(labels) != len(samples):
        raise ValueError(
            'mmocc.LEARNClassifier needs one label for each image, got '
            f'{len(labels)} labels for {len(samples)} images; several need a '
            'head for them, such as MultiLabelLinearClsHead'
        )
    check_classes(labels, head)
    return labels


def check_classes(labels: Tensor, head: nn.Module) -> None:
    """Raise ValueError if one of the labels is no class of the head."""
    classes = getattr(head, 'num_classes', None)
    bad = labels[(labels < 0) | (labels >= (classes or math.inf))]
    if len(bad):
        raise ValueError(
            f'label {int(bad[0])} is outside the {classes} classes '
            "(0 .. num_classes - 1) of the head; check the data set's "
            'classes against model.head.num_classes'
        )


def check_logits(logits: Any, num: int, head: nn.Module) -> None:
    """Raise ValueError if logits are none, or do not depend on LEARN."""
    name = type(head).__name__
    if not torch.is_tensor(logits) or logits.dim() != 2 or len(logits) < num:
        shape = (
            f'a tensor {tuple(logits.shape)}'
            if torch.is_tensor(logits)
            else f'a {type(logits).__name__}'
        )
        raise ValueError(
            f'{name} gives {shape} instead of logits (N, classes): '
            'mmocc.LEARNClassifier needs a head that gives them, or '
            "loss_cls=None and labels='data', which trains without them"
        )
    if torch.is_grad_enabled() and not logits.requires_grad:
        raise ValueError(
            f'the logits of {name} do not depend on what LEARN repairs: it '
            'reads another feature (such as the class token); put LEARN '
            'earlier with insert_after'
        )


@torch.no_grad()
def check_way(model: 'LEARNClassifier', inputs: Tensor) -> None:
    """Raise ValueError if a LEARN in the neck does not fit what is around it.

    Its way through the parts must be the model's own, which differs where a
    class of one's own does more between the parts; and its grid of tokens
    must be the backbone's.
    """
    if model.insert_after is not None:
        return
    with first_grid(model.backbone) as sizes:
        expected = model(inputs[:1])
    output = model.frozen_output(inputs[:1])
    feat = last_feature(output)
    if sizes and feat.dim() == 3:
        maps = [model.learn.to_map(feat, grid)[0] for grid in (None, *sizes)]
        if maps[0].shape != maps[1].shape:
            raise ValueError(
                f'the tokens are a grid of {sizes[0]} positions, not a '
                f'square: set token_grid={sizes[0]} in mmocc.LEARN'
            )
    logits = model.logits(
        model.learn.repair(feat)[0], None if model.clean_cache else output
    )
    if not torch.is_tensor(logits) or not logits.isfinite().all():
        return  # other errors tell
    tolerance = 0.01 * float(logits.abs().max())
    if not torch.allclose(logits, expected, rtol=0.01, atol=tolerance):
        raise ValueError(
            f'{type(model).__name__} computes other logits than its backbone, '
            'neck and head one after another: train LEARN inside the backbone '
            'with insert_after, which keeps its way, and without clean_cache'
        )


def make_room(state_dict: dict, prefix: str, index: int) -> None:
    """Renumber the tensors of a classifier's own neck to make room for LEARN.

    With LEARN before it, ``neck.fc`` or ``neck.0.fc`` becomes ``neck.1.fc``.
    A state dict that has LEARN already is not changed.

    Args:
        state_dict: State dict of a whole model, changed in place.
        prefix: The neck's prefix in it.
        index: LEARN's place in the list of necks.
    """
    own = [key for key in state_dict if key.startswith(prefix)]
    if any(key.startswith(f'{prefix}{index}.encoder.') for key in own):
        return
    renamed = {}
    for key in own:
        name = key.removeprefix(prefix)
        number, _, rest = name.partition('.')
        if not number.isdigit():  # the neck was not a list
            number, rest = 0, name
        place = int(number) + (int(number) >= index)
        renamed[f'{prefix}{place}.{rest}'] = state_dict.pop(key)
    state_dict.update(renamed)
