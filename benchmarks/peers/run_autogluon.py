"""AutoGluon's TabularPredictor within a time limit: its default preset, or `best_quality` (bagged and stacked)."""

from __future__ import annotations

import tempfile

from task import task

if __name__ == "__main__":
    job = task(("medium_quality", "best_quality"))

    import pandas as pd
    from autogluon.tabular import TabularPredictor

    train, test = (pd.read_csv(job.data / f"{part}.csv", dtype={"label": str}) for part in ("train", "test"))
    with tempfile.TemporaryDirectory() as folder:
        predictor = TabularPredictor(label="label", path=folder, eval_metric="accuracy", verbosity=1)
        job.start()
        predictor.fit(train, presets=job.setting, time_limit=job.budget)
        job.finish(
            lambda: predictor.predict(test.drop(columns="label")), ("autogluon.tabular", "lightgbm", "torch"),
            chosen=predictor.model_best,
        )  # fmt: skip
