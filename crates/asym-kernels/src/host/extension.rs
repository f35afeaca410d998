//! The integration of this crate's operations into Burn's autodiff graph. No other module of the kernels uses autodiff.

use std::fmt::Debug;
use std::sync::Arc;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, DispatchTensor, Flex, backend_extension};
use burn::tensor::Tensor;

use crate::host::HostTensor;

/// An operation with a forward and a backward pass.
pub(crate) trait HostOperation: Debug + Send + Sync + 'static {
    /// The output, and the tensors that [`backward`](Self::backward) needs for the gradients of the tracked inputs.
    fn forward(&self, inputs: Vec<HostTensor>, tracked: &[bool]) -> (HostTensor, Vec<HostTensor>);

    /// The gradient of each tracked input, from the gradient of the output.
    fn backward(&self, kept: Vec<HostTensor>, gradient: HostTensor, tracked: &[bool]) -> Vec<Option<HostTensor>>;
}

/// The maximum number of inputs of an operation.
const MOST: usize = 4;

/// Run `operation` on its inputs.
///
/// # Panics
///
/// Panics if there are no inputs, or more than [`MOST`].
pub(crate) fn run<const D: usize>(operation: impl HostOperation, inputs: Vec<DispatchTensor>) -> Tensor<D> {
    let count = inputs.len();
    assert!((1..=MOST).contains(&count), "an operation with {count} inputs");
    // The function that routes the call has four tensors as arguments. The first tensor is passed for missing ones, and ignored.
    let filler = inputs[0].clone();
    let mut inputs = inputs.into_iter();
    let [first, second, third, fourth] = std::array::from_fn(|_| inputs.next().unwrap_or_else(|| filler.clone()));
    drop(filler);
    let call = Call { operation: Arc::new(operation), count };
    Tensor::from_dispatch(<Dispatch as HostCall>::host_call(first, second, third, fourth, call))
}

/// An operation and the number of its inputs.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    operation: Arc<dyn HostOperation>,
    count: usize,
}

/// The extension of Burn's backends that runs all operations of this crate.
#[backend_extension(Flex, Autodiff)]
pub(crate) trait HostCall: Backend {
    fn host_call(
        first: FloatTensor<Self>,
        second: FloatTensor<Self>,
        third: FloatTensor<Self>,
        fourth: FloatTensor<Self>,
        call: Call,
    ) -> FloatTensor<Self>;
}

impl HostCall for Flex {
    fn host_call(
        first: HostTensor,
        second: HostTensor,
        third: HostTensor,
        fourth: HostTensor,
        call: Call,
    ) -> HostTensor {
        let mut inputs = vec![first, second, third, fourth];
        inputs.truncate(call.count);
        call.operation.forward(inputs, &[false; MOST][..call.count]).0
    }
}

impl<C: CheckpointStrategy> HostCall for Autodiff<Flex, C> {
    fn host_call(
        first: FloatTensor<Self>,
        second: FloatTensor<Self>,
        third: FloatTensor<Self>,
        fourth: FloatTensor<Self>,
        call: Call,
    ) -> FloatTensor<Self> {
        let mut inputs = vec![first, second, third, fourth];
        inputs.truncate(call.count);
        match call.count {
            1 => track::<C, 1>(inputs, call),
            2 => track::<C, 2>(inputs, call),
            3 => track::<C, 3>(inputs, call),
            _ => track::<C, 4>(inputs, call),
        }
    }
}

#[derive(Debug)]
struct Step;

#[derive(Debug, Clone)]
struct Kept {
    operation: Arc<dyn HostOperation>,
    tensors: Vec<HostTensor>,
}

impl<const N: usize> Backward<Flex, N> for Step {
    type State = Kept;

    fn backward(self, ops: Ops<Kept, N>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<Flex>(&ops.node);
        let tracked = ops.parents.each_ref().map(Option::is_some);
        let Kept { operation, tensors } = ops.state;
        let of_inputs = operation.backward(tensors, gradient, &tracked);
        for (parent, gradient) in ops.parents.into_iter().zip(of_inputs) {
            if let (Some(parent), Some(gradient)) = (parent, gradient) {
                gradients.register::<Flex>(parent.id, gradient);
            }
        }
    }
}

fn track<C: CheckpointStrategy, const N: usize>(
    inputs: Vec<FloatTensor<Autodiff<Flex, C>>>,
    Call { operation, .. }: Call,
) -> FloatTensor<Autodiff<Flex, C>> {
    let tracked: Vec<bool> = inputs.iter().map(|input| input.is_tracked()).collect();
    let mut primitives = Vec::with_capacity(N);
    let nodes = inputs.into_iter().map(|input| {
        let (primitive, node) = input.into_parts();
        primitives.push(primitive);
        node
    });
    let nodes: Vec<_> = nodes.collect();
    let Ok(nodes) = <[_; N]>::try_from(nodes) else { unreachable!("as many nodes as inputs") };
    let (output, tensors) = operation.forward(primitives, &tracked);
    match Backward::<Flex, N>::prepare::<C>(Step, nodes).compute_bound().stateful() {
        OpsKind::Tracked(step) => step.finish(Kept { operation, tensors }, output),
        OpsKind::UnTracked(step) => step.finish(output),
    }
}
