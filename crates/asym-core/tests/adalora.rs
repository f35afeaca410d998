//! AdaLoRA gives the rank to the layer that needs it.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::Path;

use asym_core::{
    AdaLora, AdaptedLinear, AdaptedLinearConfig, AdapterConfig, AdapterError, Naming, RankAllocator, orthogonality,
};
use burn::module::Module;
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::{Device, Distribution, Tensor};
use safetensors::tensor::{Dtype, TensorView};

/// Two layers side by side, whose outputs are added.
#[derive(Module, Debug)]
struct Model {
    needed: AdaptedLinear,
    idle: AdaptedLinear,
}

impl Model {
    fn new(device: &Device) -> Self {
        let layer = || AdaptedLinearConfig::new(16, 12).with_bias(false).init(device);
        Self { needed: layer(), idle: layer() }
    }

    fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        let halves = input.split(16, 1);
        self.needed.forward(halves[0].clone()) + self.idle.forward(halves[1].clone())
    }
}

/// The final ranks of two layers with initial rank 6 and target rank 3, after learning an update of rank `rank` in only the
/// first layer.
fn learned(rank: usize) -> Vec<usize> {
    let device = Device::default().autodiff();
    device.seed(3);
    let random = |shape| Tensor::<2>::random(shape, Distribution::Normal(0.0, 1.0), &device);
    let plain = Model::new(&device);
    let update = random([16, rank]).matmul(random([rank, 12]));
    let settings = AdaLora::new(6, 3).schedule(30, 5, 60).total_steps(300);
    let config = AdapterConfig::new(settings.clone()).targets(["needed", "idle"]);
    let mut model = config.attach(plain.clone(), 5).unwrap();
    let mut allocator = RankAllocator::new(&settings, &model, &Naming::BURN).unwrap();
    let mut optimizer = AdamConfig::new().init();
    let mut last = f32::MAX;
    for step in 0..300 {
        let input = random([64, 32]);
        let target = plain.forward(input.clone()) + input.clone().narrow(1, 0, 16).matmul(update.clone());
        let loss = (model.forward(input) - target.detach()).powi_scalar(2).mean();
        last = loss.clone().into_scalar();
        let penalty = orthogonality(&model).unwrap() * settings.orthogonality;
        let gradients = GradientsParams::from_grads((loss + penalty).backward(), &model);
        allocator.observe(&model, &gradients);
        model = optimizer.step(0.03, model, gradients);
        model = allocator.allocate(model, step);
    }
    println!("an update of rank {rank}: loss {last}");
    ["needed", "idle"]
        .map(|name| allocator.rank_pattern().get(name).unwrap().iter().filter(|kept| **kept).count())
        .to_vec()
}

#[test]
fn layers_with_larger_updates_keep_more_ranks() {
    // There are six triplets in total. The layer whose update has rank 4 keeps at least four, and more than the idle layer.
    let ranks = learned(4);
    assert_eq!(ranks.iter().sum::<usize>(), 6);
    assert!(ranks[0] >= 4 && ranks[0] > ranks[1], "{ranks:?}");
}

#[test]
fn the_penalty_is_zero_only_for_orthonormal_factors() {
    let device = Device::default();
    let config = AdapterConfig::new(AdaLora::new(6, 3)).targets(["needed", "idle"]);
    let model = config.attach(Model::new(&device), 5).unwrap();
    let penalty: f32 = orthogonality(&model).unwrap().into_scalar();
    // The factors have standard deviation 0.02, so AAᵀ is near 0. For rank 6, ‖0 − I‖ is √6.
    assert!((penalty - 6f32.sqrt()).abs() < 0.05, "{penalty}");
    let identity = asym_core::layout::rewrite(
        model,
        &Naming::BURN,
        |entry| matches!(entry.field(), "lora_A" | "lora_B"),
        |entry, values| {
            let columns = entry.shape[1];
            Some((0..values.len()).map(|i| f32::from(u8::from(i / columns == i % columns))).collect())
        },
    );
    let penalty: f32 = orthogonality(&identity).unwrap().into_scalar();
    assert!(penalty < 1e-6, "{penalty}");
    assert!(orthogonality(&Model::new(&device)).is_none());
}

#[test]
fn an_allocator_requires_total_steps_and_adapters() {
    let device = Device::default();
    let settings = AdaLora::new(6, 3);
    let model = AdapterConfig::new(settings.clone()).targets(["needed"]).attach(Model::new(&device), 5).unwrap();
    let error = RankAllocator::new(&settings, &model, &Naming::BURN).unwrap_err();
    assert!(matches!(error, AdapterError::Setting { field: "total_steps", .. }), "{error}");
    let filled = settings.for_training(100);
    assert_eq!((filled.warmup_steps, filled.final_steps, filled.total_steps), (10, 30, Some(100)));
    assert!(RankAllocator::new(&filled, &model, &Naming::BURN).is_ok());
    let mut pruned = filled.clone();
    pruned.rank_pattern.insert("needed", vec![true; 6]);
    let error = RankAllocator::new(&pruned, &model, &Naming::BURN).unwrap_err();
    assert!(matches!(error, AdapterError::Conflict { field: "rank_pattern", .. }), "{error}");
    let error = RankAllocator::new(&filled, &Model::new(&device), &Naming::BURN).unwrap_err();
    assert!(matches!(error, AdapterError::NotAdapted), "{error}");
}

/// A file of another rank is refused by name, not when its values are used.
#[test]
fn states_of_another_rank_are_rejected() {
    let device = Device::default();
    let allocator = |rank: usize| {
        let settings = AdaLora::new(rank, 2).for_training(100);
        let model = AdapterConfig::new(settings.clone()).targets(["needed"]).attach(Model::new(&device), 5).unwrap();
        RankAllocator::new(&settings, &model, &Naming::BURN).unwrap()
    };
    let path = Path::new("state");
    let tensor = |shape: &[usize]| (shape.to_vec(), vec![0u8; shape.iter().product::<usize>() * 4]);
    let file = |of_e: usize, kept: &str| {
        let e = [tensor(&[of_e]), tensor(&[of_e])];
        let views = ["needed.e.importance", "needed.e.uncertainty"]
            .into_iter()
            .zip(&e)
            .map(|(name, (shape, bytes))| (name, TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
        safetensors::serialize(views, Some([("rank_pattern".to_string(), kept.to_string())].into())).unwrap()
    };
    let restore = |bytes: &[u8]| allocator(6).restore(bytes, path, &device);
    restore(&file(6, r#"{"needed":[true,true,true,true,true,false]}"#)).unwrap();
    restore(&allocator(6).to_bytes(path).unwrap()).unwrap();
    let message = restore(&file(4, "{}")).unwrap_err().to_string();
    assert!(message.contains("`needed.e.importance` has shape [4], expected [6]"), "{message}");
    let message = restore(&file(6, r#"{"needed":[true]}"#)).unwrap_err().to_string();
    assert!(message.contains("`rank_pattern of needed` has shape [1], expected [6]"), "{message}");
}
