"""A table's columns prepared by a feature space, with crosses, and a classifier that takes them as they are."""

import keras
import numpy as np
from drawn_tables import patients, texts
from keras import layers
from keras.utils import FeatureSpace


def build_model():
    columns, _ = patients()
    space = FeatureSpace(
        features={
            "sex": FeatureSpace.integer_categorical(num_oov_indices=0),
            "vessels": "integer_categorical",
            "defect": FeatureSpace.string_categorical(num_oov_indices=0),
            "age": FeatureSpace.float_discretized(num_bins=6),
            "pressure": FeatureSpace.float_normalized(),
            "slope": "float_normalized",
        },
        crosses=[
            FeatureSpace.cross(feature_names=("sex", "age"), crossing_dim=16),
            FeatureSpace.cross(feature_names=("defect", "vessels"), crossing_dim=8),
        ],
        output_mode="concat",
    )
    # Keras learns from batches of 32, whose summaries its quantiles depend on: one batch has none.
    space.adapt({name: values[:32] for name, values in columns.items()})
    x = layers.Dense(16, activation="relu")(space.get_encoded_features())
    return keras.Model(inputs=space.get_inputs(), outputs=layers.Dense(1, activation="sigmoid")(x))


def train(model):
    columns, ill = patients()
    model.compile(optimizer=keras.optimizers.SGD(0.3), loss="binary_crossentropy")
    history = model.fit(columns, ill, batch_size=40, epochs=12, shuffle=False, verbose=0).history["loss"]
    patient = {"age": 60.0, "pressure": 145.0, "slope": 2.0, "sex": 1, "vessels": 0, "defect": "fixed"}
    x = {name: np.array([[value]]) for name, value in patient.items()}
    probability = model.predict({**x, "defect": texts(x["defect"])}, verbose=0)
    return {"first": history[0], "last": history[-1], "probability": probability[0, 0]}
