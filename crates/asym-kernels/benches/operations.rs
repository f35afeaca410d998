//! Benchmarks of each operation and its composed form, forward and backward, with the sizes of RoBERTa-base for 8 sequences of
//! 128 tokens.
//!
//! ```text
//! cargo bench -p asym-kernels --bench operations
//! ```
#![allow(missing_docs)]

use asym_kernels::{
    Heads, Kept, LowRank, Rotation, add_low_rank, attention, composed, cross_entropy, dropout, gated_silu, gelu,
    linear, residual_norm, rms_norm, rotary,
};
use burn::nn::{DropoutConfig, LayerNormConfig};
use burn::tensor::{Device, Distribution, Int, Tensor};
use divan::Bencher;

const BATCH: usize = 8;
const LENGTH: usize = 128;
const WIDTH: usize = 768;
const INNER: usize = 4 * WIDTH;

fn main() {
    divan::main();
}

fn device() -> Device {
    Device::flex().autodiff()
}

fn random<const D: usize>(shape: [usize; D]) -> Tensor<D> {
    Tensor::random(shape, Distribution::Default, &device())
}

fn step(bencher: Bencher<'_, '_>, width: usize, apply: impl Fn(Tensor<3>) -> Tensor<3> + Sync) {
    let input = random([BATCH, LENGTH, width]);
    bencher.bench_local(|| {
        let leaf = input.clone().require_grad();
        drop(apply(leaf).sum().backward());
    });
}

#[divan::bench_group(sample_count = 20, sample_size = 1)]
mod attention_step {
    use super::*;

    #[divan::bench]
    fn fused(bencher: Bencher<'_, '_>) {
        let none = DropoutConfig::new(0.0).init();
        step(bencher, WIDTH, |x| attention(x.clone(), x.clone(), x, None, Heads::new(12), &none, Kept::Exact));
    }

    #[divan::bench]
    fn composed_form(bencher: Bencher<'_, '_>) {
        let none = DropoutConfig::new(0.0).init();
        step(bencher, WIDTH, |x| composed::attention(x.clone(), x.clone(), x, None, Heads::new(12), &none));
    }
}

#[divan::bench_group(sample_count = 20, sample_size = 1)]
mod attention_dropout_step {
    use super::*;

    #[divan::bench]
    fn fused(bencher: Bencher<'_, '_>) {
        let tenth = DropoutConfig::new(0.1).init();
        step(bencher, WIDTH, |x| attention(x.clone(), x.clone(), x, None, Heads::new(12), &tenth, Kept::Exact));
    }

    #[divan::bench]
    fn composed_form(bencher: Bencher<'_, '_>) {
        let tenth = DropoutConfig::new(0.1).init();
        step(bencher, WIDTH, |x| composed::attention(x.clone(), x.clone(), x, None, Heads::new(12), &tenth));
    }
}

#[divan::bench_group(sample_count = 20, sample_size = 1)]
mod residual_norm_step {
    use super::*;

    #[divan::bench]
    fn fused(bencher: Bencher<'_, '_>) {
        let none = DropoutConfig::new(0.0).init();
        let norm = LayerNormConfig::new(WIDTH).init(&device());
        step(bencher, WIDTH, |x| residual_norm(&norm, 1e-5, &none, x.clone(), x, Kept::Exact));
    }

    #[divan::bench]
    fn composed_form(bencher: Bencher<'_, '_>) {
        let none = DropoutConfig::new(0.0).init();
        let norm = LayerNormConfig::new(WIDTH).init(&device());
        step(bencher, WIDTH, |x| composed::residual_norm(&norm, 1e-5, &none, x.clone(), x));
    }
}

#[divan::bench_group(sample_count = 20, sample_size = 1)]
mod rms_norm_step {
    use super::*;

    #[divan::bench]
    fn fused(bencher: Bencher<'_, '_>) {
        let gamma = random([WIDTH]);
        step(bencher, WIDTH, |x| rms_norm(gamma.clone(), 1e-5, x, Kept::Exact));
    }

    #[divan::bench]
    fn composed_form(bencher: Bencher<'_, '_>) {
        let gamma = random([WIDTH]);
        step(bencher, WIDTH, |x| composed::rms_norm(gamma.clone(), 1e-5, x));
    }
}

fn rotation() -> Rotation {
    let angles = random([1, LENGTH, WIDTH / 12 / 2]);
    Rotation { cos: angles.clone().cos(), sin: angles.sin() }
}

#[divan::bench_group(sample_count = 20, sample_size = 1)]
mod rotary_step {
    use super::*;

    #[divan::bench]
    fn fused(bencher: Bencher<'_, '_>) {
        let rotation = rotation();
        step(bencher, WIDTH, |x| rotary(x, 12, &rotation));
    }

    #[divan::bench]
    fn composed_form(bencher: Bencher<'_, '_>) {
        let rotation = rotation();
        step(bencher, WIDTH, |x| composed::rotary(x, 12, &rotation));
    }
}

#[divan::bench_group(sample_count = 20, sample_size = 1)]
mod gated_silu_step {
    use super::*;

    #[divan::bench]
    fn fused(bencher: Bencher<'_, '_>) {
        step(bencher, INNER, |x| gated_silu(x.clone(), x, Kept::Exact));
    }

    #[divan::bench]
    fn composed_form(bencher: Bencher<'_, '_>) {
        step(bencher, INNER, |x| composed::gated_silu(x.clone(), x));
    }
}

#[divan::bench_group(sample_count = 20, sample_size = 1)]
mod gelu_step {
    use super::*;

    #[divan::bench]
    fn fused(bencher: Bencher<'_, '_>) {
        step(bencher, INNER, |x| gelu(x, Kept::Exact));
    }

    #[divan::bench]
    fn composed_form(bencher: Bencher<'_, '_>) {
        step(bencher, INNER, composed::gelu);
    }
}

#[divan::bench_group(sample_count = 20, sample_size = 1)]
mod dropout_step {
    use super::*;

    #[divan::bench]
    fn fused(bencher: Bencher<'_, '_>) {
        let tenth = DropoutConfig::new(0.1).init();
        step(bencher, WIDTH, |x| dropout(&tenth, x));
    }

    #[divan::bench]
    fn composed_form(bencher: Bencher<'_, '_>) {
        let tenth = DropoutConfig::new(0.1).init();
        step(bencher, WIDTH, |x| composed::dropout(&tenth, x));
    }
}

#[divan::bench_group(sample_count = 20, sample_size = 1)]
mod linear_step {
    use super::*;

    #[divan::bench]
    fn fused(bencher: Bencher<'_, '_>) {
        let (weight, bias) = (random([WIDTH, INNER]), random([INNER]));
        step(bencher, WIDTH, |x| linear(x, weight.clone(), Some(bias.clone())));
    }

    #[divan::bench]
    fn composed_form(bencher: Bencher<'_, '_>) {
        let (weight, bias) = (random([WIDTH, INNER]), random([INNER]));
        step(bencher, WIDTH, |x| composed::linear(x, weight.clone(), Some(bias.clone())));
    }
}

#[divan::bench_group(sample_count = 20, sample_size = 1)]
mod add_low_rank_step {
    use super::*;

    #[divan::bench]
    fn fused(bencher: Bencher<'_, '_>) {
        let update = LowRank { a: random([WIDTH, 8]), b: random([8, WIDTH]).require_grad(), scale: 2.0 };
        step(bencher, WIDTH, |x| add_low_rank(x.clone(), x, update.clone()));
    }

    #[divan::bench]
    fn composed_form(bencher: Bencher<'_, '_>) {
        let update = LowRank { a: random([WIDTH, 8]), b: random([8, WIDTH]).require_grad(), scale: 2.0 };
        step(bencher, WIDTH, |x| composed::add_low_rank(x.clone(), x, update.clone()));
    }
}

#[divan::bench_group(sample_count = 20, sample_size = 1)]
mod cross_entropy_step {
    use super::*;

    /// The number of labeled tokens of a batch.
    const TOKENS: usize = 128;
    /// The size of SmolLM2's vocabulary.
    const VOCABULARY: usize = 49_152;

    fn step(bencher: Bencher<'_, '_>, loss: fn(Tensor<2>, Tensor<1, Int>, f64) -> Tensor<1>) {
        let logits = random([TOKENS, VOCABULARY]);
        let labels = Tensor::<1, Int>::zeros([TOKENS], &device());
        bencher.bench_local(|| {
            // As in a model, there is only one handle to the logits.
            let logits = logits.clone().require_grad() * 2.0;
            drop(loss(logits, labels.clone(), 0.0).backward());
        });
    }

    #[divan::bench]
    fn fused(bencher: Bencher<'_, '_>) {
        step(bencher, cross_entropy);
    }

    #[divan::bench]
    fn composed_form(bencher: Bencher<'_, '_>) {
        step(bencher, composed::cross_entropy);
    }
}
