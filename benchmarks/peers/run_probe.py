"""A frozen probe as one writes it by hand: mean-pooled features of a transformers folder, a logistic regression."""

from __future__ import annotations

from task import task

if __name__ == "__main__":
    job = task(("default",))

    import torch
    from sklearn.linear_model import LogisticRegression
    from transformers import AutoModel, AutoTokenizer

    tokenizer, body = AutoTokenizer.from_pretrained(job.model), AutoModel.from_pretrained(job.model).eval()

    @torch.inference_mode()
    def features(texts: list[str]) -> torch.Tensor:
        """One row for each text, of length one, as sentence-transformers makes them."""
        rows = []
        for i in range(0, len(texts), 32):
            batch = tokenizer(texts[i : i + 32], padding=True, truncation=True, max_length=256, return_tensors="pt")
            mask = batch["attention_mask"][..., None]
            tokens = body(**batch).last_hidden_state
            rows.append((tokens * mask).sum(1) / mask.sum(1))
        return torch.nn.functional.normalize(torch.cat(rows), dim=1)

    texts, labels = job.texts("train")
    job.start()
    head = LogisticRegression(max_iter=1000).fit(features(texts).numpy(), labels)
    tests = job.texts("test")[0]
    job.finish(lambda: head.predict(features(tests).numpy()), ("transformers", "scikit-learn", "torch"))
