use burn::tensor::{Device, TensorData};
use half::bf16;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

fn random(count: usize, rng: &mut impl Rng) -> Vec<f32> {
    (0..count).map(|_| rng.random_range(-2.0f32..2.0)).collect()
}

/// The available kernels that use packed weights. Prints a message if there are none.
fn packing() -> Vec<Bf16Kernel> {
    let kernels: Vec<_> =
        [Bf16Kernel::Amx, Bf16Kernel::Avx512].into_iter().filter(|kernel| kernel.is_available()).collect();
    if kernels.is_empty() {
        eprintln!("skipped: this machine has neither AMX nor AVX512-BF16");
    }
    kernels
}

/// Rows, inner dimension and columns, for whole blocks, incomplete blocks of every kind, a single row, and more rows than one
/// task computes.
const SIZES: [[usize; 3]; 11] = [
    [1, 1, 1],
    [1, 3, 5],
    [32, 32, 32],
    [33, 31, 33],
    [5, 768, 771],
    [70, 100, 48],
    [47, 40, 33],
    [128, 65, 2],
    [300, 64, 96],
    [129, 33, 31],
    [600, 3072, 40],
];

#[test]
fn kernels_sum_the_rounded_operands() {
    for kernel in packing() {
        SIZES.into_iter().for_each(|size| sums_the_rounded_operands(kernel, size));
    }
}

fn sums_the_rounded_operands(kernel: Bf16Kernel, [rows, inner, columns]: [usize; 3]) {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let (x, bias) = (random(rows * inner, &mut rng), random(columns, &mut rng));
    let weight: Vec<bf16> = random(inner * columns, &mut rng).into_iter().map(bf16::from_f32).collect();
    let source = Source { values: &weight, shape: [inner, columns], strides: [columns, 1] };
    let transposed: Vec<bf16> = (0..inner * columns).map(|at| weight[at % inner * columns + at / inner]).collect();
    let other = Source { values: &transposed, shape: [columns, inner], strides: [inner, 1] }.transposed();
    for (packed, bias) in [(Packed::new(source), Some(&bias)), (Packed::new(source), None), (Packed::new(other), None)]
    {
        let found = kernel.multiply(&x, &packed, bias.map(Vec::as_slice));
        for (at, found) in found.iter().enumerate() {
            let (row, column) = (at / columns, at % columns);
            let start = bias.map_or(0.0, |bias| f64::from(bias[column]));
            let products =
                (0..inner).map(|k| bf16::from_f32(x[row * inner + k]).to_f64() * weight[k * columns + column].to_f64());
            let (sum, size) = products.fold((start, start.abs()), |(sum, size), p| (sum + p, size + p.abs()));
            let error = (f64::from(*found) - sum).abs();
            assert!(
                error <= 1e-6 * size,
                "{kernel}, {rows} x {inner} x {columns} at {row}, {column}: {found} for {sum}"
            );
        }
    }
}

#[test]
fn rounding_matches_the_half_crate() {
    if !avx512::is_available() {
        return eprintln!("skipped: this machine has no AVX512-BF16");
    }
    let mut values = vec![
        0.0,
        -0.0,
        1.0,
        f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::MAX,
        f32::MIN,
        f32::MIN_POSITIVE,
        // Ties that are rounded up and down, and their neighbors.
        f32::from_bits(0x3f80_8000),
        f32::from_bits(0x3f81_8000),
        f32::from_bits(0xbf80_8000),
        f32::from_bits(0x3f80_8001),
        f32::from_bits(0x3f80_7fff),
    ];
    values.extend(random(40, &mut ChaCha8Rng::seed_from_u64(2)));
    let mut lines = vec![std::mem::MaybeUninit::new(packed::Line::ZERO); values.len().div_ceil(packed::LINE)];
    // SAFETY: AVX512-BF16 is available.
    unsafe { avx512::round_row(&values, &mut lines, 1) };
    // SAFETY: all lines were initialized.
    let rounded = lines.iter().flat_map(|line| unsafe { line.assume_init() }.0);
    let expected = values.iter().map(|value| bf16::from_f32(*value)).chain(std::iter::repeat(bf16::ZERO));
    for (at, (found, expected)) in rounded.zip(expected).enumerate() {
        let same = found.to_bits() == expected.to_bits() || found.is_nan() && expected.is_nan();
        assert!(same, "{:?}: {found:?} for {expected:?}", values.get(at));
    }
}

/// Output, gradient of x, and gradient of the bias, by `kernel`.
fn pass(kernel: Bf16Kernel, x: &[f32], weight: &Tensor<2>, bias: &[f32], packed: &PackedWeight) -> [Vec<f64>; 3] {
    let device = Device::flex().autodiff();
    let [d_input, d_output] = weight.dims();
    let x = Tensor::<2>::from_data(TensorData::new(x.to_vec(), [x.len() / d_input, d_input]), &device).require_grad();
    let bias = Tensor::<1>::from_data(TensorData::new(bias.to_vec(), [d_output]), &device).require_grad();
    let inputs = vec![x.clone().into_dispatch(), weight.clone().into_dispatch(), bias.clone().into_dispatch()];
    let output: Tensor<2> = run(RoundedLinear { packed: packed.clone(), kernel }, inputs);
    let gradients = output.clone().powi_scalar(2).sum().backward();
    let values = |data: burn::tensor::TensorData| data.iter::<f64>().collect();
    [
        values(output.into_data()),
        values(x.grad(&gradients).unwrap_or_else(|| panic!("x is tracked")).into_data()),
        values(bias.grad(&gradients).unwrap_or_else(|| panic!("the bias is tracked")).into_data()),
    ]
}

#[test]
fn every_kernel_computes_a_linear_layer_and_its_gradients() {
    let kernels = [packing(), vec![Bf16Kernel::F32]].concat();
    let device = Device::flex().autodiff();
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    for [rows, inner, columns] in [[3, 40, 50], [257, 96, 33]] {
        let (x, bias) = (random(rows * inner, &mut rng), random(columns, &mut rng));
        let weight = random(inner * columns, &mut rng);
        let rounded: Vec<f64> = weight.iter().map(|value| bf16::from_f32(*value).to_f64()).collect();
        let tensor = Tensor::<2>::from_data(TensorData::new(weight, [inner, columns]), (&device, DType::BF16));
        // The output in f64, with the sums of absolute values that bound the error.
        let (mut output, mut sizes) = (vec![0.0; rows * columns], vec![0.0; rows * columns]);
        for at in 0..rows * columns {
            let (row, column) = (at / columns, at % columns);
            output[at] = f64::from(bias[column]);
            for k in 0..inner {
                let product = f64::from(x[row * inner + k]) * rounded[k * columns + column];
                output[at] += product;
                sizes[at] += product.abs();
            }
        }
        for &kernel in &kernels {
            let [found, of_x, of_bias] = pass(kernel, &x, &tensor, &bias, &PackedWeight::default());
            for ((found, expected), size) in found.iter().zip(&output).zip(&sizes) {
                assert!((found - expected).abs() <= 4e-3 * size + 1e-5, "{kernel}: {found} for {expected}");
            }
            for (at, found) in of_x.iter().enumerate() {
                let (row, k) = (at / inner, at % inner);
                let terms = (0..columns).map(|column| {
                    let (at, weight) = (row * columns + column, rounded[k * columns + column]);
                    (2.0 * output[at] * weight, 2.0 * (output[at].abs() + sizes[at]) * weight.abs())
                });
                let (expected, size) = terms.fold((0.0, 0.0), |(sum, size), (term, bound)| (sum + term, size + bound));
                assert!((found - expected).abs() <= 4e-3 * size, "{kernel}: {found} for {expected}");
            }
            for (column, found) in of_bias.iter().enumerate() {
                let of_column = || (column..rows * columns).step_by(columns);
                let expected: f64 = of_column().map(|at| 2.0 * output[at]).sum();
                let size: f64 = of_column().map(|at| 2.0 * sizes[at]).sum();
                assert!((found - expected).abs() <= 4e-3 * size, "{kernel}: {found} for {expected}");
            }
        }
    }
}

#[test]
fn changed_weights_are_packed_again() {
    let device = Device::flex().autodiff();
    for kernel in packing() {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let (x, bias, packed) = (random(64, &mut rng), [0.0; 8], PackedWeight::default());
        let mut weight = || {
            let values = random(64, &mut rng);
            Tensor::<2>::from_data(TensorData::new(values, [8, 8]), (&device, DType::BF16))
        };
        for weight in [weight(), weight(), weight().transpose()] {
            let [shared, ..] = pass(kernel, &x, &weight, &bias, &packed);
            let [own, ..] = pass(kernel, &x, &weight, &bias, &PackedWeight::default());
            assert_eq!(shared, own);
        }
    }
}
