# /// script
# dependencies = ["scikit-learn==1.9.1", "pandas==3.1.1"]
# ///
"""scikit-learn as its user guide calls it: tf-idf with logistic regression, one-hot with it, histogram boosting."""

import json
import sys
import time
from pathlib import Path

import pandas as pd
import sklearn
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler


def main():
    kind, data = sys.argv[1], json.loads(sys.argv[2])
    train, test = (
        {"texts": table, "table": table, "letters": sequences}[kind](data[part]) for part in ("train", "test")
    )
    target = data.get("target", "file")
    models = {"texts": of_texts, "table": of_columns, "letters": of_letters}[kind]()
    found = {}
    for name, (model, reads) in models.items():
        began = time.time()
        inputs = [reads(part.drop(columns=target)) for part in (train, test)]
        answers = model.fit(inputs[0], train[target]).predict(inputs[1])
        found[name] = {"right": test[target].tolist(), "answers": answers.tolist(), "seconds": time.time() - began}
    print(json.dumps({"version": f"scikit-learn {sklearn.__version__}", "found": found}))


def table(path):
    return pd.read_json(path, lines=True) if path.endswith(".jsonl") else pd.read_csv(path)


def sequences(folder):
    """A folder of FASTA files: the sequences, and the name of the file of each."""
    rows = []
    for file in sorted(Path(folder).glob("*.fa")):
        records = file.read_text("ascii").split(">")[1:]
        rows += [("".join(record.split("\n")[1:]).upper(), file.stem) for record in records]
    return pd.DataFrame(rows, columns=["sequence", "file"])


def of_texts():
    bag = make_pipeline(TfidfVectorizer(), LogisticRegression(max_iter=1000))
    pairs = make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression(max_iter=1000))
    even = make_pipeline(TfidfVectorizer(), LogisticRegression(max_iter=1000, class_weight="balanced"))
    named = {"tf-idf, logistic": (bag, first), "tf-idf of pairs, logistic": (pairs, first)}
    return {**named, "tf-idf, balanced logistic": (even, first)}


def of_columns():
    words, numbers = (make_column_selector(dtype_include=kind) for kind in (["str", "object", "category"], "number"))
    apart = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), words), (StandardScaler(), numbers))
    ranked = make_column_transformer(
        (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), words), remainder="passthrough"
    )
    linear = make_pipeline(apart, LogisticRegression(max_iter=1000))
    boosted = make_pipeline(ranked, HistGradientBoostingClassifier(random_state=0))
    return {"one-hot, logistic": (linear, whole), "histogram boosting": (boosted, whole)}


def of_letters():
    grams = make_pipeline(TfidfVectorizer(analyzer="char", ngram_range=(1, 5)), LogisticRegression(max_iter=1000))
    placed = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression(max_iter=1000))
    boosted = make_pipeline(
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
        HistGradientBoostingClassifier(random_state=0),
    )
    named = {"tf-idf of letters, logistic": (grams, first), "one-hot by place, logistic": (placed, places)}
    return {**named, "histogram boosting by place": (boosted, places)}


def first(part):
    return part.iloc[:, 0].astype(str)


def whole(part):
    return part


def places(part):
    return pd.DataFrame([list(sequence) for sequence in part["sequence"]])


if __name__ == "__main__":
    main()
