"""Engines with one mistake each, to be put in place of `Variable.backward`."""

from __future__ import annotations

import weakref

import numpy as np

from adverify import Variable


def engine(mistake=""):
    """Give a `backward` that is right but for one mistake; right in all if there is none."""

    seeds, sent = weakref.WeakKeyDictionary(), weakref.WeakKeyDictionary()
    seeds_by_shape, sent_by_data = {}, {}

    def backward(self, grad=1.0):
        seed = np.array(np.broadcast_to(grad, self.data.shape), self.data.dtype)
        if mistake == "the first seed is sent for ever":
            seed = seeds.setdefault(self, seed)
        if mistake == "one array is the seed of all roots of a shape":
            seed = seeds_by_shape.setdefault((seed.shape, seed.dtype.str), np.empty_like(seed))
            seed[...] = grad
        uses = counted(self, mistake)
        held = {v: v._grad for v in uses}
        for v in uses:
            if mistake != "a gradient of an earlier pass is sent again" or v.back is None:
                v._grad = None
        self._grad, ready, visited = seed, [self], set()
        while ready:
            v = ready.pop()
            visited.add(v)
            g = v._grad
            if v.back is not None and g is not None:
                if mistake == "the first cotangent of a node is sent for ever":
                    g = sent.setdefault(v, g)
                if mistake == "the first cotangent is sent in other graphs of the same leaves":
                    g = sent_by_data.setdefault((type(v), *(id(x.data) for x in inputs_of(v))), (g, inputs_of(v)))[0]
                v.back(g)
                if mistake == "a kept intermediate is propagated twice" and v.requires_grad:
                    v.back(g)
            for x in inputs_of(v):
                uses[x] -= 1
                early = mistake == "a node is visited before its gradient is complete"
                is_waiting = x not in visited and not any(x is other for other in ready)
                if is_waiting and (early or uses[x] <= 0):
                    ready.append(x)
                if mistake == "gradients are zeroed too early" and uses[x] and x.back is not None:
                    x._grad = None
            if mistake == "cotangents are zeroed in place" and isinstance(g, np.ndarray) and not v.requires_grad:
                g[...] = 0
            v._grad = total(held[v], g, v, mistake) if v.requires_grad else None

    return backward


def total(before, g, v, mistake):
    if g is None:
        return before
    has_it = mistake == "a gradient of an earlier pass is sent again" and v.back is not None
    return np.asarray(g if before is None or has_it else before + g, v.data.dtype)


def counted(root, mistake):
    uses, stack = {root: 0}, [root]
    while stack:
        inputs = inputs_of(stack.pop())
        has_constant = any(x.back is None and not x.requires_grad for x in inputs)
        for x in dict.fromkeys(inputs) if mistake == "a repeated input is counted once" else inputs:
            if x not in uses:
                uses[x] = 0
                stack.append(x)
            if mistake == "consumers with a constant are not counted" and has_constant:
                continue
            if mistake == "a kept intermediate is not awaited" and x.back is not None and x.requires_grad:
                continue
            uses[x] += 1
    return uses


def inputs_of(v: Variable):
    return [x for x in getattr(v.back, "inputs", ()) if x is not None]


MISTAKES = (
    "a node is visited before its gradient is complete",
    "a repeated input is counted once",
    "a kept intermediate is propagated twice",
    "a gradient of an earlier pass is sent again",
    "gradients are zeroed too early",
    "cotangents are zeroed in place",
    "consumers with a constant are not counted",
    "a kept intermediate is not awaited",
    "the first seed is sent for ever",
    "one array is the seed of all roots of a shape",
    "the first cotangent of a node is sent for ever",
    "the first cotangent is sent in other graphs of the same leaves",
)
