"""fastai's `fine_tune` on a timm folder, as chapter 2 of its book does it: crops, `aug_transforms`, four epochs.

`long` is the same for twenty epochs. The test rows stand where fastai wants validation rows: they give the curve, and
neither length nor rate is chosen by them.
"""

from __future__ import annotations

import time

from task import task

if __name__ == "__main__":
    job = task(("book", "long"))

    from torchvision_cpu import mend

    mend()
    from fastai.callback.core import CancelFitException
    from fastai.vision.all import (
        Callback,
        CategoryBlock,
        ColReader,
        ColSplitter,
        DataBlock,
        ImageBlock,
        RandomResizedCrop,
        accuracy,
        aug_transforms,
        set_seed,
        vision_learner,
    )
    from pandas import DataFrame

    class Watch(Callback):
        """Draws the curve with the clock standing still, and ends training when the budget is used up."""

        cut = False

        def before_validate(self) -> None:
            """An epoch of training is over."""
            self.at, self.stopped, self.right = job.spent, time.perf_counter(), 0

        def after_batch(self) -> None:
            """Count what is right of a test batch; look at the clock after a training batch."""
            if not self.training:
                self.right += int((self.pred.argmax(1) == self.y).sum())
            elif job.late:
                Watch.cut = True
                raise CancelFitException

        def after_validate(self) -> None:
            """One more point."""
            job.curve.append((self.at, self.right / len(test)))
            job.away += time.perf_counter() - self.stopped

    train, test = job.table("train"), job.table("test")
    frame = DataFrame([*train, *test]).assign(is_test=[False] * len(train) + [True] * len(test))
    set_seed(job.seed, reproducible=True)
    block = DataBlock(
        blocks=(ImageBlock, CategoryBlock),
        get_x=ColReader("path", pref=f"{job.data}/"),
        get_y=ColReader("label"),
        splitter=ColSplitter("is_test"),
        item_tfms=RandomResizedCrop(224, min_scale=0.5),
        batch_tfms=aug_transforms(),
    )
    dls = block.dataloaders(frame)
    learn = vision_learner(dls, f"local-dir:{job.model}", metrics=accuracy, cbs=Watch)
    job.start()
    learn.fine_tune({"book": 4, "long": 20}[job.setting])
    learn.remove_cb(Watch)
    job.finish(
        lambda: [dls.vocab[i] for i in learn.get_preds(ds_idx=1)[0].argmax(1)], ("fastai", "timm", "torch"),
        cut=Watch.cut,
    )  # fmt: skip
