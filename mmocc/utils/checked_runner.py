"""A runner that stops where its training images make no batch."""

from mmengine.dataset import InfiniteSampler
from mmengine.runner import BaseLoop, Runner
from torch.utils.data import DataLoader


def check_batches(loader: DataLoader) -> None:
    """Raise ValueError if an epoch of a loader has no batch.

    Either there is no image, or with ``drop_last=True`` fewer than a batch.
    mmengine would run epochs without a step, and save a network that has
    learnt nothing, or stop with ``epoch_length must be a positive integer``.
    """
    if isinstance(loader.sampler, InfiniteSampler) or len(loader):
        return
    images = len(loader.sampler)  # of this process
    if not images:
        raise ValueError(
            'train_dataloader: the data set has no image; check data_root, '
            'ann_file, and that the classes are spelt as in the annotations'
        )
    more = '' if images > 1 else ' (networks with batch norm need two)'
    raise ValueError(
        f'train_dataloader: {images} images are fewer than a batch of '
        f'{loader.batch_size}, and drop_last=True drops it: nothing would be '
        'trained. Give more images, or set train_dataloader.batch_size to '
        f'{max(images // 2, 1)}{more}'
    )


class CheckedRunner(Runner):
    """mmengine's runner; it does not train on nothing.

    Raises:
        ValueError: In training; see :func:`check_batches`.
    """

    def build_train_loop(self, loop: BaseLoop | dict) -> BaseLoop:
        """Return the loop, whose epochs have batches."""
        built = super().build_train_loop(loop)
        check_batches(built.dataloader)
        return built
