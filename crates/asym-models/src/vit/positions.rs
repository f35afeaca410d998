//! Interpolates the position embeddings of a grid of patches for another grid.

use burn::tensor::{Tensor, TensorData};

/// The learned position embeddings of the grid `from`, interpolated for the grid `to`. The interpolation is bicubic, like
/// PyTorch's `interpolate` without `align_corners` and without antialiasing. The position embedding of the first token
/// does not change.
///
/// The interpolation along an axis is computed as a matrix product, so it runs and is differentiable on every backend.
///
/// # Shapes
///
/// - positions: `[1, 1 + from, hidden]`
/// - output: `[1, 1 + to, hidden]`
pub(super) fn at_resolution(positions: Tensor<3>, from: [usize; 2], to: [usize; 2]) -> Tensor<3> {
    if from == to {
        return positions;
    }
    let [_, _, hidden] = positions.dims();
    let (device, dtype) = (positions.device(), positions.dtype());
    let first = positions.clone().slice([0..1, 0..1]);
    let grid = positions.slice([0..1, 1..1 + from[0] * from[1]]); // [1, rows · columns, hidden]
    let weights = |axis: usize| {
        let data = TensorData::new(bicubic(from[axis], to[axis]), [to[axis], from[axis]]);
        Tensor::<2>::from_data(data, (&device, dtype))
    };
    let columns = weights(1).unsqueeze::<3>().matmul(grid.reshape([from[0], from[1], hidden])); // [rows, to columns, hidden]
    let rows = weights(0).matmul(columns.reshape([from[0], to[1] * hidden])); // [to rows, to columns · hidden]
    Tensor::cat(vec![first, rows.reshape([1, to[0] * to[1], hidden])], 1)
}

/// The interpolation weights of `from` points for each of `to` points, `[to, from]`, row by row. Source: Keys, 1981, with
/// PyTorch's a = -0.75.
fn bicubic(from: usize, to: usize) -> Vec<f32> {
    const A: f64 = -0.75;
    let kernel = |distance: f64| match distance.abs() {
        x if x <= 1.0 => ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0,
        x if x < 2.0 => ((A * x - 5.0 * A) * x + 8.0 * A) * x - 4.0 * A,
        _ => 0.0,
    };
    let mut weights = vec![0.0; to * from];
    for (index, row) in weights.chunks_exact_mut(from).enumerate() {
        // The center of the new point in the coordinates of the old points, whose centers are integers.
        let place = (index as f64 + 0.5) * from as f64 / to as f64 - 0.5;
        for tap in -1..=2 {
            let at = place.floor() as isize + tap;
            // Values beyond the edge equal the value at the edge.
            let inside = at.clamp(0, from as isize - 1) as usize;
            row[inside] += kernel(place - at as f64) as f32;
        }
    }
    weights
}
