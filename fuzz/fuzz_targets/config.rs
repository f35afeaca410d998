//! The small files of a checkpoint: the configurations of the model, of generation, and of pictures.
#![no_main]

use std::hint::black_box;
use std::path::Path;

use asym_data::{ImageProcessor, Picture};
use asym_models::Config;
use asym_models::generation::GenerationConfig;
use libfuzzer_sys::fuzz_target;

/// The longest side of a result that is computed. Larger ones are right and slow.
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
        ImageProcessor::from_json("written", &processor.to_json()).expect("a configuration that is read again");
    // A model that sees brightness uses the first number of three alone, and one number is written for it.
    assert_eq!(written.to_json(), processor.to_json());
    if processor.output_size().is_some_and(|(height, width)| height.max(width) <= EDGE) {
        let picture = Picture { samples: vec![7; 3 * 3 * 2], height: 3, width: 2 };
        if let Ok(picture) = processor.fit("picture", picture) {
            black_box(processor.values(&picture));
        }
    }
});
