#!/usr/bin/env python3
"""Three facts of a block "dense, batch norm, dropout" below a trained layer, for each way of freezing it: do its weights
keep, does it normalise and drop as in training, do its statistics move. Run, not remembered: the table of docs/freezing.md.

    KERAS_BACKEND=jax|tensorflow|torch three_facts.py keras    keras 3.15.1; jax 0.10.2, tensorflow-cpu 2.21.0, torch 2.15.0
    three_facts.py torch                                       torch 2.15.0
    three_facts.py lasagne                                     Lasagne 0.2.dev1 (its sources; folder in PYTHONPATH), Theano-PyMC 1.1.2
"""
import os
import sys

import numpy as np

os.environ.setdefault('THEANO_FLAGS', 'cxx=,optimizer=None,linker=py,floatX=float64')
x = np.random.RandomState(1).normal(1, 2, (16, 6)).astype('float32')
y = np.eye(3, dtype='float32')[np.arange(16) % 3]


def tell(way, before, after, normed, dropped):
    """before, after: weights, gamma, mean of the block; normed: the output of its batch norm; dropped: of its dropout."""
    moved = [not np.array_equal(a, b) for a, b in zip(before, after)]
    by_batch = abs(float(np.mean(normed))) < 1e-3  # gamma 1, beta 0: the batch's own mean is gone
    print(f"{way:44} weights {'move' if moved[0] else 'keep'}, gamma {'moves' if moved[1] else 'keeps'}, "
          f"normalises by {'batch' if by_batch else 'stored'}, {'drops' if np.mean(dropped == 0) > .2 else 'no drop'}, "
          f"statistics {'move' if moved[2] else 'keep'}", flush=True)


def by_keras():
    import keras
    from keras import layers as kl

    def numbers(v):
        return np.array(keras.ops.convert_to_numpy(v))

    def block():
        inside = first = keras.Input((6,))
        inside = bn_out = kl.BatchNormalization(name='bn')(kl.Dense(8, name='dense')(inside))
        return keras.Model(first, kl.Dropout(.5, name='drop')(inside)), keras.Model(first, bn_out)

    def run(way, freeze, call=None, own_loop=None):
        keras.utils.set_random_seed(1)
        base, up_to_bn = block()
        base.trainable = not freeze
        first = keras.Input((6,))
        hidden = base(first) if call is None else base(first, training=call)
        model = keras.Model(first, kl.Softmax()(kl.Dense(3)(hidden)))
        probe = keras.Model(first, [hidden, (up_to_bn(first) if call is None else up_to_bn(first, training=call))])
        read = lambda: [numbers(v) for v in (base.get_layer('dense').kernel, base.get_layer('bn').gamma,
                                             base.get_layer('bn').moving_mean)]
        training = True if own_loop is None else own_loop
        dropped, normed = (numbers(v) for v in probe(x, training=training))
        before = read()
        if own_loop is None:
            model.compile(keras.optimizers.SGD(.1), 'categorical_crossentropy')
            model.train_on_batch(x, y)
        elif keras.backend.backend() == 'torch':
            loss = keras.losses.categorical_crossentropy(y, model(x, training=training))
            keras.ops.mean(loss).backward()
            keras.optimizers.SGD(.1).apply([v.value.grad for v in model.trainable_weights], model.trainable_weights)
        elif keras.backend.backend() == 'tensorflow':
            import tensorflow as tf
            with tf.GradientTape() as tape:
                loss = keras.ops.mean(keras.losses.categorical_crossentropy(y, model(x, training=training)))
            keras.optimizers.SGD(.1).apply(tape.gradient(loss, model.trainable_weights), model.trainable_weights)
        else:
            import jax

            def compute(trainable, rest):
                out, rest = model.stateless_call(trainable, rest, x, training=training)
                return keras.ops.mean(keras.losses.categorical_crossentropy(y, out)), rest
            values = [[v.value for v in group] for group in (model.trainable_variables, model.non_trainable_variables)]
            grads, rest = jax.grad(compute, has_aux=True)(*values)
            keras.optimizers.SGD(.1).apply(grads, model.trainable_variables)
            for v, value in zip(model.non_trainable_variables, rest):
                v.assign(value)
        tell(f'Keras on {keras.backend.backend()}: {way}', before, read(), normed, dropped)

    run('nothing', False)
    run('trainable=False', True)
    run('called with training=False, fit', False, call=False)
    run('trainable=False, training=False, fit', True, call=False)
    run('own loop, model(x, training=False)', False, own_loop=False)


def by_torch():
    import torch
    from torch import nn

    def run(way, freeze, evaluates):
        torch.manual_seed(1)
        base, head = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Dropout(.5)), nn.Linear(8, 3)
        model = nn.Sequential(base, head).train()
        base.requires_grad_(not freeze)
        if evaluates:
            base.eval()
        read = lambda: [v.detach().numpy().copy() for v in (base[0].weight, base[1].weight, base[1].running_mean)]
        before = read()
        optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], .1)
        normed = base[1](base[0](torch.from_numpy(x)))
        dropped = base[2](normed)
        nn.functional.cross_entropy(head(dropped), torch.from_numpy(y)).backward()
        optimizer.step()
        tell(f'PyTorch: {way}', before, read(), normed.detach().numpy(), dropped.detach().numpy())

    run('nothing', False, False)
    run('requires_grad=False', True, False)
    run('eval()', False, True)
    run('requires_grad=False and eval()', True, True)


def by_lasagne():
    from types import SimpleNamespace
    import numpy.distutils.__config__ as built
    built.blas_opt_info = {}  # Theano looks for it, numpy 1.23 has it no more
    import theano
    from theano.graph.basic import Variable, graph_inputs
    from theano.sandbox import rng_mrg
    rng_mrg.MRG_RandomStreams = rng_mrg.MRG_RandomStream  # names of Theano that Theano-PyMC changed
    theano.Variable, theano.gof = Variable, SimpleNamespace(Variable=Variable, graph=SimpleNamespace(inputs=graph_inputs))
    import lasagne
    import theano.tensor as tt
    from lasagne import layers as ll

    def run(way, freeze, **how):
        lasagne.random.set_rng(np.random.RandomState(1))
        source, target = tt.matrix(), tt.matrix()
        dense = ll.DenseLayer(ll.InputLayer((16, 6), source), 8, nonlinearity=None)
        bn = ll.BatchNormLayer(dense)
        drop = ll.DropoutLayer(bn, .5)
        head = ll.DenseLayer(drop, 3, nonlinearity=lasagne.nonlinearities.softmax)
        for layer in (dense, bn):
            for parameter in layer.params if freeze else []:
                layer.params[parameter].discard('trainable')
        out, normed, dropped = ll.get_output([head, bn, drop], **how)
        loss = lasagne.objectives.categorical_crossentropy(out, target).mean()
        updates = lasagne.updates.sgd(loss, ll.get_all_params(head, trainable=True), .1)
        step = theano.function([source, target], [normed, dropped], updates=updates)
        read = lambda: [v.get_value().copy() for v in (dense.W, bn.gamma, bn.mean)]
        before = read()
        normed, dropped = step(x.astype(float), y.astype(float))
        tell(f'Lasagne: {way}', before, read(), normed, dropped)

    run('nothing', False)
    run('tag trainable removed', True)
    run('the same, batch_norm_use_averages=True', True, batch_norm_use_averages=True)
    run('deterministic=True', False, deterministic=True)
    run('tag removed, deterministic=True', True, deterministic=True)


{'keras': by_keras, 'torch': by_torch, 'lasagne': by_lasagne}[sys.argv[1]]()
