"""SetFit (Tunstall et al. 2022, arXiv:2209.11055) on a sentence-transformers folder.

`default` is the library's own: every pair of texts once, batch 16, rate 2e-5. Pairs grow with the square of the texts;
`pairs20` takes the steps that version 0 took by default, for 20 pairs with and 20 against each text.
"""

from __future__ import annotations

import tempfile

from task import task

if __name__ == "__main__":
    job = task(("default", "pairs20"))

    from datasets import Dataset
    from setfit import SetFitModel, Trainer, TrainingArguments
    from transformers import TrainerCallback

    class Deadline(TrainerCallback):
        """Ends the contrastive phase when the budget is used up; the head is fitted all the same."""

        cut = False

        def on_step_end(self, args, state, control, **kwargs):
            """Look at the clock after each step."""
            self.cut = control.should_training_stop = job.late and state.global_step < state.max_steps
            return control

    texts, labels = job.texts("train")
    model = SetFitModel.from_pretrained(job.model)
    steps = {"default": -1, "pairs20": 40 * len(texts) // 16}[job.setting]
    deadline = Deadline()
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            model,
            TrainingArguments(output_dir=folder, max_steps=steps, seed=job.seed, report_to="none"),
            train_dataset=Dataset.from_dict({"text": texts, "label": labels}),
            callbacks=[deadline],
        )
        job.start()
        trainer.train()
    tests = job.texts("test")[0]
    job.finish(
        lambda: model.predict(tests), ("setfit", "sentence-transformers", "transformers", "torch"),
        steps=trainer.st_trainer.state.global_step, of_steps=trainer.st_trainer.state.max_steps, cut=deadline.cut,
    )  # fmt: skip
