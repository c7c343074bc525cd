"""AutoGluon's MultiModalPredictor on texts within a time limit: its defaults, with MiniLM as the text model."""

from __future__ import annotations

import tempfile

from task import task

if __name__ == "__main__":
    job = task(("minilm",))

    from torchvision_cpu import mend

    mend()
    import pandas as pd
    from autogluon.multimodal import MultiModalPredictor

    train, test = (pd.DataFrame(job.table(part)) for part in ("train", "test"))
    with tempfile.TemporaryDirectory() as folder:
        predictor = MultiModalPredictor(label="label", path=f"{folder}/model", eval_metric="accuracy", verbosity=1)
        job.start()
        predictor.fit(
            train,
            time_limit=job.budget,
            seed=job.seed,
            hyperparameters={
                "model.names": ["hf_text"], "model.hf_text.checkpoint_name": job.model, "env.num_workers": 0,
                "env.num_workers_inference": 0, "env.num_gpus": 0,
            },
        )  # fmt: skip
        job.finish(
            lambda: predictor.predict(test.drop(columns="label")), ("autogluon.multimodal", "transformers", "torch")
        )
