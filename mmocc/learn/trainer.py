"""Train the LEARN of a handle on stored features."""

import copy
import time
from collections.abc import Callable

import torch
from torch import Tensor

from mmocc.learn.agreement import LEVELS, Agreement, Fit, choose_epoch
from mmocc.learn.attach import Attached, change_of, switch
from mmocc.learn.features import Features
from mmocc.learn.probing import run_from
from mmocc.models.learn.distillation import kl_of_logits


class Trainer:
    """Trains the LEARN of a handle on features.

    Args:
        handle: LEARN, and the frozen classifier.
        training: Features of views, clean and hidden in several ways.
        held_out: Features of other views, clean and by level.
        example: An image for the classifier.
        temperature: Of the distillation.
        rec_weight: Weight of the reconstruction.
        clean_share: Clean views in a batch, for each hidden one.
        batch_size: Hidden views in a batch.
        left_alone: Share of the clean held-out views that stay as they are.
    """

    def __init__(
        self,
        handle: Attached,
        training: Features,
        held_out: Features,
        example: Tensor,
        temperature: float,
        rec_weight: float,
        clean_share: float,
        batch_size: int,
        left_alone: float,
    ) -> None:
        self.handle = handle
        self.training = training
        self.held_out = held_out
        self.example = example
        self.temperature = temperature
        self.rec_weight = rec_weight
        self.clean_share = clean_share
        self.batch_size = batch_size
        self.left_alone = left_alone
        clean = training.maps[:, 0].float()
        self.power = float(clean.square().mean()) or 1.0

    def answers(self, features: Tensor) -> Tensor:
        """Return the logits of the rest of the network."""
        handle = self.handle
        return run_from(handle.model, handle.layer, features, self.example)

    def placed(self, maps: Tensor) -> Tensor:
        """Return stored features on the model's device, in its type."""
        return maps.to(self.example.device, self.example.dtype)

    def loss(self, rows: Tensor, variants: Tensor) -> Tensor:
        """Return the loss of some views, each hidden in one of its ways."""
        maps, logits = self.training.maps[rows], self.training.logits[rows]
        few = round(self.clean_share * len(rows))
        clean = self.placed(maps[:, 0])
        hidden = self.placed(maps[torch.arange(len(rows)), variants])
        target = torch.cat([clean[:few], clean])
        teacher = torch.cat([logits[:few], logits])
        repaired, _ = self.handle.learn.repair(
            torch.cat([clean[:few], hidden])
        )
        own = self.answers(repaired)
        distill = kl_of_logits(own, teacher, self.temperature).mean()
        rec = (repaired - target).float().square().mean() / self.power
        return distill + self.rec_weight * rec

    def epoch(self, number: int, step: Callable[[Tensor], None]) -> None:
        """Call ``step`` on the loss of each batch of an epoch."""
        views, forms = self.training.maps.shape[:2]
        order = torch.randperm(views)
        shift = torch.randint(forms - 1, (views,))
        variants = 1 + (shift + number) % (forms - 1)
        for rows in order.split(self.batch_size):
            step(self.loss(rows, variants[rows]))

    @torch.no_grad()
    def agreement(self, repair: bool = True) -> Agreement:
        """Return the agreement with the clean answer by level."""
        own = self.held_out.logits.argmax(dim=1)
        counts = torch.zeros(len(LEVELS))
        for rows in torch.arange(len(own)).split(self.batch_size):
            for form in range(len(LEVELS)):
                feature = self.placed(self.held_out.maps[rows, form])
                if repair:
                    repaired = self.handle.learn.repair(feature)[0]
                    feature = switch(feature, repaired, self.handle.threshold)
                given = self.answers(feature).argmax(dim=1).cpu()
                counts[form] += (given == own[rows].cpu()).sum()
        shares = (counts / len(own)).tolist()
        return dict(zip(LEVELS, shares, strict=True))

    @torch.no_grad()
    def set_threshold(self) -> None:
        """Leave most of the clean held-out views as they are."""
        maps = self.held_out.maps[:, 0]
        changes = []
        for rows in torch.arange(len(maps)).split(self.batch_size):
            feature = self.placed(maps[rows])
            repaired = self.handle.learn.repair(feature)[0]
            changes.append(change_of(feature, repaired))
        share = torch.cat(changes).quantile(self.left_alone)
        self.handle.threshold = float(share) if self.left_alone else 0.0

    def run(
        self,
        epochs: int,
        lr: float,
        max_clean_cost: float,
        tell: Callable[[str], None],
    ) -> Fit:
        """Train; return the best epoch's LEARN."""
        learn = self.handle.learn
        before = self.agreement(repair=False)
        optimizer = torch.optim.AdamW(learn.parameters(), lr=lr)
        batches = -(-len(self.training.logits) // self.batch_size)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, lr, total_steps=epochs * batches + 1, pct_start=0.1
        )

        def step(loss: Tensor) -> None:
            if not loss.isfinite():
                raise FloatingPointError(
                    f'the loss is {loss.item()}: take a lower lr than {lr:g}'
                )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()

        start, history, states = time.monotonic(), [], []
        for number in range(epochs):
            self.epoch(number, step)
            self.set_threshold()
            history.append(self.agreement())
            state = copy.deepcopy(learn.state_dict())
            states.append((state, self.handle.threshold))
            spent = time.monotonic() - start
            words = ' '.join(
                f'{k} {100 * v:.1f}' for k, v in history[-1].items()
            )
            left = spent / (number + 1) * (epochs - number - 1)
            tell(
                f'epoch {number + 1} of {epochs}: agreement {words}; '
                f'{left:.0f} s left'
            )
        best = choose_epoch(before, history, max_clean_cost)
        state, self.handle.threshold = states[max(best - 1, 0)]
        learn.load_state_dict(state)
        after = history[best - 1] if best else before
        return Fit(self.handle, before, after, best, history)
