"""Forms of an op that one signature, or one domain, for all its constructor arguments cannot say."""

import numpy as np
import pytest

from adverify import check_function, ops, tensor
from adverify.domains import real

FORMS = [
    (ops.Bilinear, None, "(n,i),(n,j),(o,i,j)->(n,o)"),
    (ops.Conv1d, {"padding": [2], "dilation": [2], "groups": [3]}, "(n,6,l),(3,2,k),(3)->(n,3,m)"),
    (ops.Conv2d, {"dilation": [(1, 2)], "groups": [1, 2]}, "(n,2,h,w),(2,1,k,l)->(n,2,a,b)"),
    (ops.Conv2d, {"groups": [2], "stride": [2]}, "(n,4,5,h),(2,2,2,l),(2)->(n,2,a,b)"),
    (ops.ConvTranspose2d, {"groups": [2], "dilation": [2], "output_padding": [1]}, "(n,2,h,w),(2,o,k,l)->(n,p,a,b)"),
    (ops.ConvTranspose2d, {"groups": [2], "stride": [(1, 2)], "output_padding": [(0, 1)]},
     "(n,2,h,w),(2,o,k,l),(4)->(n,4,a,b)"),
    (ops.RnnCell, None, "(n,i),(n,h),(h,i),(h,h)->(n,h)"),
    (ops.LstmCell, None, "(n,i),(n,1),(n,1),(4,i),(4,1)->(n,1),(n,1)"),
    (ops.LstmCell, None, "(n,i),(n,3),(n,3),(12,i),(12,3)->(n,3),(n,3)"),
    (ops.GruCell, None, "(n,i),(n,1),(3,i),(3,1)->(n,1)"),
    (ops.GruCell, None, "(n,i),(n,3),(9,i),(9,3),(9)->(n,3)"),
    (ops.MaxPool2d, {"kernel_size": [2], "stride": [(2, 1)], "dilation": [(1, 2)]}, "(h,w)->(a,b)"),
    (ops.Interpolate, {"size": [(3, 4), (1, 5)], "mode": ["bilinear"], "align_corners": [True]}, "(h,w)->(a,b)"),
    (ops.Interpolate, {"scale_factor": [2.5, (0.7, 1)], "mode": ["nearest", "bilinear"]}, "(h,w)->(a,b)"),
    (ops.CrossEntropy, {"target": [[0, 1, -100]], "weight": [[0.5, 2.0, 1.0]], "label_smoothing": [0.0, 0.3],
                        "reduction": ["mean", "none"]}, "(3,3)->()"),
    (ops.CrossEntropy, {"target": [[[0, 1]]]}, "(1,c,2)->()"),
    (ops.ScaledDotProductAttention, {"attn_mask": [[[True, False], [False, False], [True, True]]], "scale": [0.5]},
     "(3,e),(2,e),(2,v)->(3,v)"),
]  # fmt: skip


@pytest.mark.parametrize(("op", "arguments", "signature"), FORMS, ids=lambda v: getattr(v, "__name__", None))
def test_gradient_of_a_form(op, arguments, signature, seed):
    report = check_function(op, arguments=arguments, signature=signature, seed=seed)
    assert report.ok
    assert report.cases > 0


def test_kl_div_loss_of_a_target_given_by_logarithms_takes_any(seed):
    assert check_function(ops.KlDivLoss, arguments={"log_target": [True]}, domain=real, seed=seed).ok


NORMALISED = [(ops.BatchNorm(), (2, 3)), (ops.LayerNorm(), (3, 2)), (ops.GroupNorm(2), (1, 4))]


@pytest.mark.parametrize(("op", "shape"), NORMALISED, ids=lambda v: type(v).__name__)
def test_normalisation_of_two_elements_keeps_what_eps_leaves_of_the_gradient(op, shape):
    # Of two elements, standardised, only eps keeps the derivative from 0: d / sqrt(d**2 + eps) at d = 1e3.
    x = np.array([[1e3] * 3, [-1e3] * 3]) if shape == (2, 3) else np.array([[1e3, -1e3] * (shape[1] // 2)] * shape[0])
    leaf = ops.Multiply()(np.ones(shape), x)
    leaf.requires_grad = True
    g = np.where(x > 0, 1.0, 0.0)
    op(leaf).backward(g)
    np.testing.assert_allclose(leaf.grad, np.sign(x) * 0.5e-5 / (1e6 + 1e-5) ** 1.5, rtol=1e-9)


@pytest.mark.parametrize("op", [ops.Softmax(), ops.LogSoftmax(), ops.CrossEntropy([0])], ids=lambda v: type(v).__name__)
def test_a_share_near_one_keeps_its_gradient(op):
    x = np.array([[45.0, 0.0]])
    leaf = ops.Negative()(-x)
    leaf.requires_grad = True
    op(leaf).backward(np.array([[1.0, 0.0]]) if type(op) is not ops.CrossEntropy else -1.0)
    rest = np.exp(-45.0) / (1 + np.exp(-45.0))
    np.testing.assert_allclose(leaf.grad, [[rest, -rest]] * np.array([1 / (1 + np.exp(-45.0)) if type(op) is ops.Softmax
                                                                      else 1.0]), rtol=1e-12)  # fmt: skip


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: ops.Conv2d(stride=0), "stride"),
        (lambda: ops.Conv2d(padding=(1, 2, 3)), "padding"),
        (lambda: ops.MaxPool2d(2, padding=2), "padding"),
        (lambda: ops.ConvTranspose2d(output_padding=1), "output_padding"),
        (lambda: ops.MseLoss("max"), "reduction"),
        (lambda: ops.Dropout(1.5), "p="),
        (lambda: ops.Interpolate(), "size or scale_factor"),
        (lambda: ops.Gelu("erf"), "approximate"),
        (lambda: ops.GroupNorm(0), "num_groups"),
        (lambda: ops.conv2d(np.ones((1, 2, 3, 3)), np.ones((1, 3, 2, 2))), r"\(1, 2, 3, 3\), \(1, 3, 2, 2\)"),
        (lambda: ops.lstm_cell(*[np.ones((1, 2))] * 5), r"LstmCell takes .*4 h.* got"),
        (lambda: ops.batch_norm(np.ones((2, 3)), np.ones(2)), r"shape \(3,\)"),
        (lambda: ops.embedding(np.ones((2, 3)), indices=[2]), "at least 3 rows"),
        (lambda: ops.cross_entropy(np.ones((2, 3)), target=[0, 3]), "classes"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(make, words):
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.parametrize(("subscripts", "shape", "alike"), [
    ("iij->ji", (0, 2, 5), (0, 0, 5)),
    ("i...i->...", (2, 3, 0), (2, 3, 2)),
])  # fmt: skip
def test_a_diagonal_of_an_empty_and_another_length_is_refused(subscripts, shape, alike):
    with pytest.raises(ValueError, match="has lengths"):
        ops.Einsum(subscripts)(tensor(np.zeros(shape)))
    assert ops.Einsum(subscripts)(tensor(np.zeros(alike))).data.shape == np.einsum(subscripts, np.zeros(alike)).shape
