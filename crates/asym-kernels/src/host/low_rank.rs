//! y + s·(x·A)·B, the update of an adapter, which is added to a layer's output in place.

use burn::tensor::{DType, Tensor};

use crate::LowRank;
use crate::host::extension::{HostOperation, run};
use crate::host::linear::with_last;
use crate::host::math::{Matrix, MatrixMut, Output, new_product, parallel_product};
use crate::host::{HostTensor, floats, owned, tensor};

/// See [`add_low_rank`](crate::add_low_rank()). All tensors are f32.
pub(crate) fn add_low_rank<const D: usize>(output: Tensor<D>, input: Tensor<D>, update: LowRank) -> Tensor<D> {
    let LowRank { a, b, scale } = update;
    let inputs = vec![output.into_dispatch(), input.into_dispatch(), a.into_dispatch(), b.into_dispatch()];
    run(AddLowRank { scale: scale as f32 }, inputs)
}

#[derive(Debug)]
struct AddLowRank {
    scale: f32,
}

impl HostOperation for AddLowRank {
    fn forward(&self, inputs: Vec<HostTensor>, tracked: &[bool]) -> (HostTensor, Vec<HostTensor>) {
        let Ok([output, input, a, b]) = <[_; 4]>::try_from(inputs) else { unreachable!("four inputs") };
        let shape = output.layout().shape().clone();
        let (rank, d_output) = (b.layout().shape()[0], b.layout().shape()[1]);
        let d_input = a.layout().shape()[0];
        let hidden = new_product(self.scale, Matrix::of(&floats(&input), d_input), Matrix::tensor(&a));
        let mut values = owned(output);
        let sum = MatrixMut::of(&mut values, d_output);
        parallel_product(sum, Output::Add, 1.0, Matrix::of(&hidden, rank), Matrix::tensor(&b));
        let hidden = tensor(hidden, with_last(&shape, rank), DType::F32);
        let kept = [
            tracked[3].then_some(hidden),
            (tracked[1] || tracked[2]).then_some(b),
            tracked[1].then_some(a),
            tracked[2].then_some(input),
        ];
        (tensor(values, shape, DType::F32), kept.into_iter().flatten().collect())
    }

    fn backward(&self, kept: Vec<HostTensor>, gradient: HostTensor, tracked: &[bool]) -> Vec<Option<HostTensor>> {
        let shape = gradient.layout().shape().clone();
        let last = shape.num_dims() - 1;
        let values = floats(&gradient);
        let rows = Matrix::of(&values, shape[last]);
        let mut kept = kept.into_iter();
        let hidden = tracked[3].then(|| kept.next()).flatten();
        let b = (tracked[1] || tracked[2]).then(|| kept.next()).flatten();
        let a = tracked[1].then(|| kept.next()).flatten();
        let input = tracked[2].then(|| kept.next()).flatten();

        let of_b = hidden.map(|hidden| {
            let rank = hidden.layout().shape()[last];
            let of_b = new_product(1.0, Matrix::of(&floats(&hidden), rank).transposed(), rows);
            tensor(of_b, [rank, shape[last]].into(), DType::F32)
        });
        // The gradient of x·A.
        let of_hidden =
            b.map(|b| (new_product(self.scale, rows, Matrix::tensor(&b).transposed()), b.layout().shape()[0]));
        let of_input = a.zip(of_hidden.as_ref()).map(|(a, (of_hidden, rank))| {
            let of_input = new_product(1.0, Matrix::of(of_hidden, *rank), Matrix::tensor(&a).transposed());
            tensor(of_input, with_last(&shape, a.layout().shape()[0]), DType::F32)
        });
        let of_a = input.zip(of_hidden.as_ref()).map(|(input, (of_hidden, rank))| {
            let d_input = input.layout().shape()[last];
            let of_a =
                new_product(1.0, Matrix::of(&floats(&input), d_input).transposed(), Matrix::of(of_hidden, *rank));
            tensor(of_a, [d_input, *rank].into(), DType::F32)
        });
        vec![tracked[0].then(|| gradient.clone()), of_input, of_a, of_b]
    }
}
