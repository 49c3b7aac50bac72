#!/usr/bin/env bash
# optax 0.2.8: optax.masked(tx, mask) does not freeze what is outside of the mask: it adds the raw gradient to it.
#
# masked passes updates outside of the mask through unchanged, and what comes in is the gradient: apply_updates adds it, with the wrong
# sign and no rate, so "frozen" parameters climb the loss. What freezes: multi_transform with set_to_zero, or optax.transforms.freeze.
# shellcheck source=findings/lib.sh
. "$(dirname "$0")/lib.sh"
need jax==0.10.2 optax==0.2.8
"$python" - >"$work/out" <<'PY'
import jax
import optax

start = {'base': 1., 'head': 1.}


def one_step(tx):
    gradient = jax.grad(lambda p: 3 * p['base'] ** 2 + p['head'] ** 2)(start)  # 6, 2
    updates, _ = tx.update(gradient, tx.init(start), start)
    after = optax.apply_updates(start, updates)
    return f"base {float(after['base']):.1f}, head {float(after['head']):.1f}"


sgd = optax.sgd(.1)
print('masked:', one_step(optax.masked(sgd, {'base': False, 'head': True})))
print('multi_transform:', one_step(optax.multi_transform({'t': sgd, 'f': optax.set_to_zero()}, {'base': 'f', 'head': 't'})))
print('freeze:', one_step(optax.chain(sgd, optax.transforms.freeze({'base': True, 'head': False}))))
PY
seen "$work/out" <<'END'
masked: base 7.0, head 0.8
multi_transform: base 1.0, head 0.8
freeze: base 1.0, head 0.8
END
