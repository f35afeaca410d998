//! The small files of a checkpoint: the configurations of the model, of generation, and of the image processor.
#![no_main]

use std::hint::black_box;
use std::path::Path;

use asym_data::{ImageProcessor, Picture};
use asym_models::Config;
use asym_models::generation::GenerationConfig;
use libfuzzer_sys::fuzz_target;

/// The maximum side of an image that is processed. Larger images are valid, but slow.
const EDGE: usize = 64;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let path = Path::new("config.json");
    if let Ok(config) = Config::parse(text, path) {
        black_box((config.labels(), config.vocabulary()));
    }
    let _ = black_box(GenerationConfig::parse(text, path));
    let Ok(processor) = ImageProcessor::from_json("preprocessor_config.json", text) else { return };
    let written =
        ImageProcessor::from_json("written", &processor.to_json()).expect("a written configuration can be read");
    // A processor for one channel uses only the first of three numbers, and only this number is written.
    assert_eq!(written.to_json(), processor.to_json());
    if processor.output_size().is_some_and(|(height, width)| height.max(width) <= EDGE) {
        let picture = Picture { samples: vec![7; 3 * 3 * 2], height: 3, width: 2 };
        if let Ok(picture) = processor.fit("picture", picture) {
            black_box(processor.values(&picture));
        }
    }
});
