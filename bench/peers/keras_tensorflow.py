# /// script
# dependencies = ["tensorflow-cpu==2.21.0", "keras==3.15.1", "numpy==2.4.6"]
# ///
"""Keras 3's LSTM and GRU on TensorFlow: one training step in a `tf.function`, with XLA (``jit``) and without."""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np
import protocol
import tensorflow as tf

ORDER = {"LSTM": "ifgo", "GRU": "zrn"}


def main() -> None:
    given = protocol.problem()
    tf.config.threading.set_intra_op_parallelism_threads(given.threads)
    layer = getattr(keras.layers, given.cell)(given.hidden_size, return_sequences=True)
    layer.build(given.x.shape)
    layer.set_weights(weights(given))
    x, toward = tf.constant(given.x), tf.constant(given.toward)

    def train() -> tuple[tf.Tensor, list[tf.Tensor]]:
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=True)
        return y, tape.gradient(y, [x, *layer.trainable_variables], output_gradients=toward)

    ways = {name: tf.function(train, jit_compile=jit) for name, jit in (("graph", False), ("jit", True))}
    y, (d_x, *_) = ways["graph"]()
    version = f"keras {keras.__version__}, tensorflow {tf.__version__}"
    protocol.answer(given, version, ways, {"y": y.numpy(), "d_x": d_x.numpy()})


def weights(given: protocol.Problem) -> list[protocol.Array]:
    """Input first, gates side by side; the GRU's reset after the product, as torch.nn's, keeps both biases."""
    order = ORDER[given.cell]
    w_ih, w_hh, b_ih, b_hh = (given.gates(w, order) for w in (given.w_ih, given.w_hh, given.b_ih, given.b_hh))
    return [w_ih.T, w_hh.T, np.stack([b_ih, b_hh]) if given.cell == "GRU" else b_ih + b_hh]


if __name__ == "__main__":
    main()
