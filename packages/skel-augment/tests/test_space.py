import pytest
import torch

from skel_augment import AxisMask, Scale, Shear, shear_matrix

COUNT = 20_000


def test_shear_factors(ntu, make_clips, sample, assert_uniform):
    matrix = sample(Shear(0.3), make_clips(ntu)[1], COUNT).matrix
    assert torch.equal(matrix.diagonal(dim1=1, dim2=2), torch.ones(COUNT, 3, dtype=matrix.dtype))
    for row, column in ((0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)):
        assert_uniform(matrix[:, row, column], -0.3, 0.3)


def test_shear_matrix_places():
    matrix = shear_matrix(torch.tensor([[1.0, 2, 3, 4, 5, 6]]))[0]
    assert matrix.tolist() == [[1, 1, 4], [2, 1, 5], [3, 6, 1]]


def test_scale(ntu, make_clips, sample, assert_uniform):
    clips, shape = make_clips(ntu)
    step = Scale(0.5, 2)
    assert_uniform(sample(step, shape, COUNT).matrix[:, 0, 0], 0.5, 2)
    result = sample(step, shape, len(clips)).apply(clips)
    ratio = result[..., 0] / clips[..., 0]
    torch.testing.assert_close(ratio, ratio[:, :1, :1, :1].expand_as(ratio))


def test_axis_mask(ntu, make_clips, sample, assert_share):
    clips, shape = make_clips(ntu)
    matrix = sample(AxisMask(), shape, COUNT).matrix
    for axis in range(3):
        assert_share(matrix[:, axis, axis] == 0, 1 / 3)
    result = sample(AxisMask(), shape, len(clips)).apply(clips)[..., 0]
    assert ((result == 0).flatten(2).all(2).sum(1) == 1).all()
    assert ((result == clips[..., 0]) | (result == 0)).all()


@pytest.mark.parametrize(
    "make",
    [lambda: Shear(-1), lambda: Scale(0, 1), lambda: Scale(2, 1)],
)
def test_settings_out_of_range(make):
    with pytest.raises(ValueError, match=r"amplitude|low|high"):
        make()
