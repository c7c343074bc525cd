"""The Trainer of transformers on a text model's folder: all weights, or LoRA through PEFT.

`full` and `lora` are the libraries' defaults: rate 5e-5, batch 8, three epochs, LoRA of rank 8 as PEFT chooses for the
architecture. Few rows get too few steps that way, and LoRA too small a rate, so beside them there are `full_long`
(20 epochs and at least 200 steps, warmed up over a tenth; Mosbach et al. 2021, arXiv:2006.04884) and `lora_tour`
(rate 1e-3, batch 32, as in PEFT's quick tour, for 10 epochs and at least 200 steps).
"""

from __future__ import annotations

import tempfile

from task import task

SETTINGS = {
    "full": {"num_train_epochs": 3},
    "full_long": {"num_train_epochs": 20, "warmup_steps": 0.1, "per_device_train_batch_size": 16},
    "lora": {"num_train_epochs": 3},
    "lora_tour": {"num_train_epochs": 10, "learning_rate": 1e-3, "per_device_train_batch_size": 32},
}
LEAST_STEPS = 200  # of the settings that are not defaults
POINTS = 20  # of the curve

if __name__ == "__main__":
    job = task(tuple(SETTINGS))

    import numpy as np
    from datasets import Dataset
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainerCallback,
        TrainingArguments,
        set_seed,
    )

    set_seed(job.seed)
    texts, labels = job.texts("train")
    names = sorted(set(labels))
    tokenizer = AutoTokenizer.from_pretrained(job.model)

    def rows(texts: list[str], labels: list[str]) -> Dataset:
        """Tokenised once, padded in batches."""
        tokens = dict(tokenizer(texts, truncation=True, max_length=256))
        return Dataset.from_dict(tokens | {"label": [names.index(t) if t in names else 0 for t in labels]})

    class Watch(TrainerCallback):
        """Measures the curve, and ends training when the budget is used up."""

        cut = False

        def on_step_end(self, args, state, control, **kwargs):
            """Look at the clock after each step, at the test rows after each twentieth of them."""
            if job.with_curve and state.global_step % max(1, state.max_steps // POINTS) == 0:
                job.measure(predict)
                trainer.model.train()
            self.cut = control.should_training_stop = job.late and state.global_step < state.max_steps
            return control

    model = AutoModelForSequenceClassification.from_pretrained(job.model, num_labels=len(names))
    if job.setting.startswith("lora"):
        from peft import LoraConfig, get_peft_model

        model = get_peft_model(model, LoraConfig(task_type="SEQ_CLS"))
    how = dict(SETTINGS[job.setting])
    if job.setting in ("full_long", "lora_tour"):
        per_epoch = -(-len(texts) // how["per_device_train_batch_size"])
        how["num_train_epochs"] = max(how["num_train_epochs"], -(-LEAST_STEPS // per_epoch))
    train, test = rows(texts, labels), rows(*job.texts("test"))
    watch = Watch()
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            model,
            TrainingArguments(folder, seed=job.seed, report_to="none", save_strategy="no", use_cpu=True, **how),
            train_dataset=train,
            data_collator=DataCollatorWithPadding(tokenizer),
            callbacks=[watch],
        )

        def predict() -> list[str]:
            """The class of each test row."""
            return [names[i] for i in np.argmax(trainer.predict(test).predictions, axis=1)]

        job.start()
        trainer.train()
        libraries = ("transformers", "accelerate", "torch", *(["peft"] if job.setting.startswith("lora") else []))
        job.finish(predict, libraries, steps=trainer.state.global_step, of_steps=trainer.state.max_steps, cut=watch.cut)
