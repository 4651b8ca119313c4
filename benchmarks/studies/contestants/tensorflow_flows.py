"""TensorFlow Probability: compiled by XLA, and trained as its tutorial does it."""

from __future__ import annotations

import os

import numpy as np

from .base import N_SAMPLES, TrainedByLoop


class TfpXla(TrainedByLoop):
    """TensorFlow Probability's parts, as its tutorial puts them together, in `tf.function`s that
    XLA compiles (`jit_compile=True`): two to four times faster than without."""

    packages = ("tensorflow-probability", "tensorflow", "tf-keras")
    environment = "tfp"

    def build(self):
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        import tensorflow as tf
        import tensorflow_probability as tfp

        self.tf, tfb, tfd = tf, tfp.bijectors, tfp.distributions
        tf.keras.utils.set_random_seed(self.seed or 0)
        case, parts = self.case, []
        for _ in range(case.layers):
            made = tfb.AutoregressiveNetwork(
                2, hidden_units=list(case.hidden), activation="relu", dtype=self.dtype
            )
            layer = tfb.MaskedAutoregressiveFlow(made)
            parts += [layer if self.kind == "maf" else tfb.Invert(layer)]
            parts += [tfb.Permute(list(range(case.dim))[::-1])]
        zero, one = np.zeros((), self.dtype), np.ones((), self.dtype)
        base = tfd.Sample(tfd.Normal(zero, one), case.dim)
        self.flow = tfd.TransformedDistribution(base, tfb.Chain(parts[:-1]))

    def put(self, x):
        return self.tf.constant(x, self.dtype)

    def start(self):
        import tf_keras

        tf, flow = self.tf, self.flow
        flow.log_prob(self.rows[:1])  # makes the variables
        self.variables = variables = flow.trainable_variables
        adam = tf_keras.optimizers.Adam(self.rate)
        adam.build(variables)

        def step(x):
            with tf.GradientTape() as tape:
                loss = -tf.reduce_mean(flow.log_prob(x))
            gradient = tape.gradient(loss, variables)
            adam.apply_gradients(zip(gradient, variables, strict=True))
            return loss

        self._step = tf.function(step, jit_compile=True)
        self._log_prob = tf.function(flow.log_prob, jit_compile=True)
        self._sample = tf.function(lambda: flow.sample(N_SAMPLES), jit_compile=True)

    def step(self):
        return self._step(self.rows)

    def log_prob(self, x):
        return self._log_prob(x)

    def sample(self):
        return self._sample()

    def snapshot(self):
        return [v.numpy() for v in self.variables]

    def restore(self, snapshot):
        for variable, value in zip(self.variables, snapshot, strict=True):
            variable.assign(value)

    @property
    def n_weights(self):
        return sum(int(np.prod(v.shape)) for v in self.variables)


class Tfp(TfpXla):
    """Trained as the tutorial does it, with Keras's `fit`; only for `time_to_trained`."""

    def train(self, validation, epochs):
        import tf_keras

        tf = self.tf
        x = tf_keras.layers.Input(shape=(self.case.dim,), dtype=self.dtype)
        model = tf_keras.Model(x, self.flow.log_prob(x))
        model.compile(tf_keras.optimizers.Adam(self.rate), loss=lambda _, log_prob: -log_prob)
        best = tf_keras.callbacks.EarlyStopping(patience=epochs, restore_best_weights=True)
        none = [tf.zeros((len(rows), 0), self.dtype) for rows in (self.rows, validation)]
        model.fit(
            self.rows, none[0], batch_size=len(self.rows), epochs=epochs, verbose=0,
            validation_data=(self.put(validation), none[1]), callbacks=[best],
        )  # fmt: skip
        if best.best_weights is not None:
            model.set_weights(best.best_weights)
