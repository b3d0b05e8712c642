"""Checkpoints that neither a crash nor a full disk can damage."""

from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.fileio import BaseStorageBackend, register_backend
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner

from mmocc.registry import HOOKS
from mmocc.utils.config_types import find_class
from mmocc.utils.whole_files import WholeFileBackend, write_whole


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """mmengine's CheckpointHook, for runs that may be killed at any time.

    Local checkpoints, ``last_checkpoint`` and published models are written to
    a ``.tmp`` file in the same folder, forced to the disk and renamed. Old
    ones are removed after the new one is written, not before. All arguments
    are mmengine's; ``tools/train.py`` uses this hook in every config.

    Raises:
        SaveError: While running, if a checkpoint cannot be written.
    """

    def before_train(self, runner: Runner) -> None:
        """Make mmengine write local files whole."""
        register_backend('local', WholeFileBackend, force=True, prefixes='')
        super().before_train(runner)

    def _save_checkpoint_with_step(
        self, runner: Runner, step: int, meta: dict
    ) -> None:
        """Save, then update ``last_checkpoint``, then remove old ones."""
        outdated = self._keep(runner, step)
        self.last_ckpt = self._path(step)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        runner.save_checkpoint(
            self.out_dir,
            self.filename_tmpl.format(step),
            self.file_client_args,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=self.by_epoch,
            backend_args=self.backend_args,
            **self.args,
        )
        if is_main_process():
            last = Path(runner.work_dir, 'last_checkpoint')
            write_whole(self.last_ckpt.encode(), last)
            _remove(self.file_backend, [self._path(old) for old in outdated])

    def _keep(self, runner: Runner, step: int) -> list[int]:
        """Add a step to those that are kept; return those to remove.

        The checkpoint lists these, too: a resumed run removes what is left.
        """
        limit = self.max_keep_ckpts
        if limit <= 0 or step in list(self.keep_ckpt_ids)[-1:]:
            return []
        steps = [*self.keep_ckpt_ids, step]
        self.keep_ckpt_ids.append(step)  # of bounded length
        runner.message_hub.update_info('keep_ckpt_ids', steps)
        return steps[:-limit]

    def _path(self, step: int) -> str:
        """Return where the checkpoint of a step is."""
        name = self.filename_tmpl.format(step)
        return self.file_backend.join_path(self.out_dir, name)

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        """Save if it is the best; then remove the previous best."""
        backend = self.file_backend
        self.file_backend = later = _RemoveLater(backend)
        try:
            super()._save_best_checkpoint(runner, metrics)
        finally:
            self.file_backend = backend
        _remove(backend, later.paths)


class _RemoveLater:
    """A file backend that records what it must remove."""

    def __init__(self, backend: BaseStorageBackend) -> None:
        self.backend = backend
        self.paths: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.backend, name)

    def remove(self, path: str) -> None:
        self.paths.append(path)

    rmtree = remove


def _remove(backend: BaseStorageBackend, paths: list[str]) -> None:
    """Remove those of the files and folders that exist."""
    for path in paths:
        if backend.isfile(path):
            backend.remove(path)
        elif backend.isdir(path):  # as DeepSpeed saves them
            backend.rmtree(path)


def use_safe_checkpoints(cfg: Config) -> None:
    """Replace mmengine's own hook in a config, in place, by this one.

    A config that has another hook for checkpoints, or None, stays as it is.
    """
    if cfg.get('default_hooks') is None:
        cfg.default_hooks = dict()
    hooks = cfg.default_hooks
    if 'checkpoint' not in hooks:  # mmengine's default
        hooks.checkpoint = dict(type='CheckpointHook', interval=1)
    kind = (hooks.checkpoint or {}).get('type')
    if kind and find_class(kind, HOOKS) is CheckpointHook:
        hooks.checkpoint.type = 'mmocc.SafeCheckpointHook'
