"""
Serving with FastAPI
====================

A model as a web service: a file, one endpoint, and a test that asks it.
"""

# %%
# Training and serving are two programs. The first one ends by writing a file, preprocessing included.

import tempfile
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from fastapi import FastAPI, HTTPException
from fastapi.testclient import TestClient
from sklearn.datasets import load_wine

import cnn_core
from cnn_core.sklearn import TabularClassifier

X, y = load_wine(return_X_y=True, as_frame=True)
growers = np.array(["Barolo", "Grignolino", "Barbera"])[y]
folder = tempfile.TemporaryDirectory()
path = Path(folder.name, "wine.safetensors")
TabularClassifier(eval_metric="log_loss", epochs=64, random_state=0).fit(X, growers).save(path)

# %%
# The second one reads it. ``load_predictor`` needs NumPy alone, and its predictor may be asked from any thread, so a
# plain function of FastAPI, which runs in a pool of threads, is all there is to write. A row that cannot be read is an
# error in one sentence, which goes to the client.

predictor = cnn_core.load_predictor(path)
app = FastAPI()


@app.post("/predict")
def predict(wine: dict[str, float | None]) -> dict[str, float]:
    try:
        probabilities = predictor.predict_proba(wine)[0]
    except ValueError as error:
        raise HTTPException(status_code=422, detail=str(error)) from error
    return dict(zip(predictor.classes.tolist(), probabilities.tolist(), strict=True))


# %%
# ``uvicorn wine:app`` would serve it. Here a test client asks: a known wine, the same without its colour, and nonsense.

client = TestClient(app)
wine = X.iloc[0].to_dict()
for question in (wine, wine | {"color_intensity": None}, {"colour": 5.6}):
    answer = client.post("/predict", json=question)
    print(answer.status_code, answer.text[:120])

# %%
# Where does the time go? The answer itself takes a fraction of what the web around it does.


def microseconds(call, times=200):
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        taken.append(1e6 * (time.perf_counter() - start))
    return float(np.median(taken))


row = X.iloc[:1].to_numpy()
costs = {
    "a request": microseconds(lambda: client.post("/predict", json=wine)),
    "predictor, a dict": microseconds(lambda: predictor.predict_proba(wine)),
    "predictor, an array": microseconds(lambda: predictor.predict_proba(row)),
}
figure, axis = plt.subplots(figsize=(7.2, 2.2))
bars = axis.barh(list(costs), list(costs.values()), color=["C5", "C0", "C0"])
axis.bar_label(bars, fmt="%.0f", padding=4)
axis.set(xlabel="microseconds, median of 200", xlim=(0, 1.15 * max(costs.values())))
folder.cleanup()
