#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::PathBuf;

use safetensors::{Dtype, SafeTensors};
use sha2::{Digest, Sha256};

use super::*;
use crate::scratch::{Scratch, variable};

/// `tests/fixtures/make_images.py` created the pictures, and computed the expected results with transformers and Pillow.
fn fixtures() -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/images")).to_owned()
}

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(fixtures().join(name)).unwrap()
}

fn parse(text: &str) -> Result<ImageProcessor, ImageError> {
    config::parse(text, Path::new("preprocessor_config.json"))
}

/// The same processor without rescaling and normalization. Its values are samples from 0 to 255.
fn without_values(processor: ImageProcessor) -> ImageProcessor {
    ImageProcessor { rescale: None, normalize: None, ..processor }
}

/// Compares the result of `processor` for `picture` with the tensor `key`, bit for bit.
fn compare(expected: &SafeTensors<'_>, key: &str, processor: &ImageProcessor, picture: &str) {
    let tensor = expected.tensor(key).unwrap();
    let expected: Vec<f32> = match tensor.dtype() {
        Dtype::U8 => tensor.data().iter().map(|sample| f32::from(*sample)).collect(),
        _ => tensor.data().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(),
    };
    let found = processor.read(&fixtures().join(picture)).unwrap();
    assert_eq!(tensor.shape(), [found.channels, found.height, found.width], "{key}");
    let worst =
        found.values.iter().zip(&expected).map(|(found, expected)| (found - expected).abs()).fold(0.0, f32::max);
    assert!(found.values == expected, "{key}: off by up to {worst}");
}

#[test]
fn all_picture_formats_agree_with_transformers() {
    let bytes = fixture("expected.safetensors");
    let expected = SafeTensors::deserialize(&bytes).unwrap();
    let mut compared = 0;
    for folder in ["vit", "clip", "pad"] {
        let processor = ImageProcessor::from_folder(&fixtures().join(folder)).unwrap();
        for key in expected.names() {
            let Some(picture) = key.strip_prefix(&format!("{folder}/")) else { continue };
            match picture.strip_suffix("/normalized") {
                Some(picture) => compare(&expected, key, &processor, picture),
                None => compare(&expected, key, &without_values(processor.clone()), picture),
            }
            compared += 1;
        }
    }
    assert_eq!(compared, expected.len() - 12, "all except those of the filters");
}

#[test]
fn more_formats_and_processors_agree_with_transformers() {
    let bytes = fixture("more/expected.safetensors");
    let expected = SafeTensors::deserialize(&bytes).unwrap();
    for key in expected.names() {
        let (folder, picture) = key.split_once('/').unwrap();
        let processor = ImageProcessor::from_folder(&fixtures().join("more").join(folder)).unwrap();
        match picture.strip_suffix("/normalized") {
            Some(picture) => compare(&expected, key, &processor, &format!("more/{picture}")),
            None => compare(&expected, key, &without_values(processor), &format!("more/{picture}")),
        }
    }
    assert!(expected.len() > 20);
    // For long sides, ConvNeXT does not crop, and it does not keep the aspect ratio.
    let whole = parse(r#"{"image_processor_type": "ConvNextFeatureExtractor", "size": 384}"#).unwrap();
    assert_eq!((whole.crop, whole.output_size()), (None, Some((384, 384))));
}

#[test]
fn filters_agree_with_pillow() {
    let bytes = fixture("expected.safetensors");
    let expected = SafeTensors::deserialize(&bytes).unwrap();
    for number in 0..6 {
        for (picture, height, width) in [("noise.png", 12, 17), ("small.png", 13, 24)] {
            let text = format!(r#"{{"resample": {number}, "size": {{"height": {height}, "width": {width}}}}}"#);
            let processor = without_values(parse(&text).unwrap());
            compare(&expected, &format!("filter-{number}/{picture}"), &processor, picture);
        }
    }
}

/// The expected digests were computed by transformers 5.23 with Pillow 13.0 over the same files in the order of their paths:
///
/// ```python
/// digest = hashlib.sha256()
/// for path in paths:
///     values = processor(load_image(path), do_rescale=False, do_normalize=False, return_tensors="np")["pixel_values"]
///     digest.update(values.tobytes())
/// ```
#[test]
fn photographs_and_drawings_agree_with_transformers() {
    let Some(shared) = variable("ASYM_SHARED", "the folder that contains data/PACS-mini") else { return };
    let mut paths = Vec::new();
    let mut folders = vec![shared.join("data/PACS-mini")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { paths.push(path) }
        }
    }
    paths.retain(|path| matches!(path.extension().and_then(|end| end.to_str()), Some("jpg" | "png")));
    paths.sort();
    assert_eq!(paths.len(), 392);
    let clip = r#"{"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 256}}"#;
    for (processor, expected) in [
        (ImageProcessor::new(224, 224).unwrap(), "19978c56ad196d9132e9267d3bb53ce858d282408eb042ad9424ad0bfeea262e"),
        (parse(clip).unwrap(), "0ce2b4fd6ea65e8da0df6499e31bd11d424d2a2c51ba9c2475cb6a82abed0e8b"),
    ] {
        let processor = without_values(processor);
        let mut digest = Sha256::new();
        for path in &paths {
            let pixels = processor.read(path).unwrap();
            assert_eq!((pixels.height, pixels.width), (224, 224), "{}", path.display());
            digest.update(pixels.values.iter().map(|value| *value as u8).collect::<Vec<u8>>());
        }
        assert_eq!(format!("{:x}", digest.finalize()), expected);
    }
}

#[test]
fn old_files_are_read_as_vit_processors() {
    let old = r#"{"do_normalize": true, "do_resize": true, "feature_extractor_type": "ViTFeatureExtractor",
        "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "resample": 2, "size": 224}"#;
    let vit = ImageProcessor::new(224, 224).unwrap();
    assert_eq!(parse(old).unwrap(), vit);
    assert_eq!(parse("{}").unwrap(), vit);
    assert_eq!(parse(r#"{"size": null, "image_processor_type": "ViTImageProcessorFast", "x": 1}"#).unwrap(), vit);
    assert_eq!(vit.output_size(), Some((224, 224)));
    assert_eq!(parse(r#"{"size": [48, 32]}"#).unwrap().output_size(), Some((48, 32)));
}

/// The defaults of the classes of transformers 5.23.
#[test]
fn missing_keys_use_the_defaults_of_the_class() {
    let half = Some(Normalize { mean: [0.5; 3], std: [0.5; 3] });
    let exactly = |edge| Target::Exactly { height: edge, width: edge };
    for (class, resize, crop, size, of_one_number) in [
        ("ViT", (exactly(224), Filter::Bilinear), None, Some((224, 224)), exactly(32)),
        ("DeiT", (exactly(256), Filter::Bicubic), Some((224, 224)), Some((224, 224)), exactly(32)),
        ("Beit", (exactly(224), Filter::Bicubic), None, Some((224, 224)), exactly(32)),
        ("Siglip", (exactly(224), Filter::Bicubic), None, Some((224, 224)), Target::ShortestEdge(32)),
        ("CLIP", (Target::ShortestEdge(224), Filter::Bicubic), Some((224, 224)), None, Target::ShortestEdge(32)),
        ("Bit", (Target::ShortestEdge(224), Filter::Bicubic), Some((224, 224)), None, Target::ShortestEdge(32)),
    ] {
        let named = format!(r#"{{"image_processor_type": "{class}ImageProcessor""#);
        let found = parse(&format!("{named}}}")).unwrap();
        assert_eq!((found.resize, found.crop, found.rescale), (Some(resize), crop, Some(1.0 / 255.0)), "{class}");
        assert_eq!(found.normalize == half, !matches!(class, "CLIP" | "Bit"), "{class}");
        let found = parse(&format!(r#"{named}, "size": 32, "do_center_crop": false}}"#)).unwrap();
        assert_eq!(found.resize.map(|(target, _)| target), Some(of_one_number), "{class}");
        assert_eq!(found.output_size(), size.map(|_| (32, 32)).filter(|_| of_one_number == exactly(32)), "{class}");
    }
}

#[test]
fn steps_can_be_disabled_in_the_file() {
    let text = r#"{"do_resize": false, "do_rescale": false, "do_normalize": false, "size": 0, "image_std": [0]}"#;
    let processor = parse(text).unwrap();
    assert_eq!(processor, ImageProcessor { resize: None, crop: None, rescale: None, normalize: None, gray: false });
    assert_eq!(processor.output_size(), None);
    let pixels = processor.process("small.png", &fixture("small.png")).unwrap();
    assert_eq!((pixels.height, pixels.width), (9, 16));
    assert!(pixels.values.iter().all(|value| [0.0, 255.0].contains(value)));
}

#[test]
fn processor_config_takes_precedence() {
    let folder = Scratch::new("image-processor-parts");
    folder.write("preprocessor_config.json", br#"{"size": 10}"#);
    let size = || ImageProcessor::from_folder(folder.path()).unwrap().output_size();
    // transformers 4 wrote this file without the part for pictures.
    folder.write("processor_config.json", br#"{"processor_class": "CLIPProcessor"}"#);
    assert_eq!(size(), Some((10, 10)));
    folder.write("processor_config.json", br#"{"image_processor": {"size": 20}, "tokenizer": {}}"#);
    assert_eq!(size(), Some((20, 20)));
    std::fs::remove_file(folder.path().join("preprocessor_config.json")).unwrap();
    assert_eq!(size(), Some((20, 20)));
}

#[test]
fn a_folder_without_a_configuration_is_refused() {
    let folder = Scratch::new("image-processor-empty");
    let error = ImageProcessor::from_folder(folder.path()).unwrap_err();
    assert!(matches!(error, ImageError::MissingConfig { .. }));
    assert!(error.to_string().contains("neither preprocessor_config.json"), "{error}");
    folder.write("preprocessor_config.json", b"{");
    assert!(matches!(ImageProcessor::from_folder(folder.path()), Err(ImageError::Json { .. })));
    folder.write("preprocessor_config.json", br#"{"do_resize": "yes"}"#);
    assert!(matches!(ImageProcessor::from_folder(folder.path()), Err(ImageError::Json { .. })));
}

#[test]
fn errors_for_out_of_range_settings_name_the_key() {
    for (text, expected) in [
        (r#"{"size": 0}"#, "size"),
        (r#"{"size": -3}"#, "size"),
        (r#"{"size": 22.5}"#, "size"),
        (r#"{"size": "224"}"#, "size"),
        (r#"{"size": 1000000}"#, "size"),
        (r#"{"size": [224]}"#, "size"),
        (r#"{"size": [224, 0]}"#, "size"),
        (r#"{"size": {"height": 224}}"#, "size"),
        (r#"{"size": {"height": 224, "width": 0}}"#, "size"),
        (r#"{"size": {"shortest_edge": 224, "longest_edge": 0}}"#, "size"),
        (r#"{"size": {"longest_edge": 300}}"#, "size"),
        (r#"{"image_processor_type": "ConvNextImageProcessor", "crop_pct": 0}"#, "crop_pct"),
        (r#"{"image_processor_type": "ConvNextImageProcessor", "size": {"height": 8, "width": 8}}"#, "crop_pct"),
        (r#"{"resample": 6}"#, "resample"),
        (r#"{"resample": "bicubic"}"#, "resample"),
        (r#"{"do_center_crop": true}"#, "crop_size"),
        (r#"{"do_center_crop": true, "crop_size": 0}"#, "crop_size"),
        (r#"{"do_center_crop": true, "crop_size": {"shortest_edge": 3}}"#, "crop_size"),
        (r#"{"rescale_factor": 0}"#, "rescale_factor"),
        (r#"{"rescale_factor": -1}"#, "rescale_factor"),
        (r#"{"rescale_factor": 1e300}"#, "rescale_factor"),
        (r#"{"image_mean": [0.5, 0.5]}"#, "image_mean"),
        (r#"{"image_mean": [0.5, 0.5, "0.5"]}"#, "image_mean"),
        (r#"{"image_mean": [0.5, 0.5, 1e300]}"#, "image_mean"),
        (r#"{"image_std": [0.5, 0.5, 0.5, 0.5]}"#, "image_std"),
        (r#"{"image_std": [0.5, 0, 0.5]}"#, "image_std"),
        (r#"{"image_std": 1e-60}"#, "image_std"),
        (r#"{"do_pad": true}"#, "do_pad"),
    ] {
        match parse(text) {
            Err(error @ ImageError::Setting { key, .. }) => {
                assert_eq!(key, expected, "{text}");
                assert!(error.to_string().starts_with("preprocessor_config.json: "), "{error}");
            }
            other => panic!("{text}: {other:?}"),
        }
    }
    for (height, width, expected) in [(0, 1, "height"), (1, 0, "width"), (1 << 20, 1, "height")] {
        let error = ImageProcessor::new(height, width).unwrap_err();
        assert!(matches!(error, ImageError::Setting { key, .. } if key == expected), "{error}");
    }
    assert_eq!(parse(r#"{"image_mean": 0.5, "image_std": 0.5}"#).unwrap(), parse("{}").unwrap());
}

#[test]
fn unsupported_processor_classes_are_named() {
    for (key, class) in [
        ("image_processor_type", "LevitImageProcessor"),
        ("image_processor_type", "ViT"),
        ("feature_extractor_type", "PerceiverFeatureExtractor"),
    ] {
        let error = parse(&format!(r#"{{"{key}": "{class}"}}"#)).unwrap_err();
        assert!(error.to_string().contains(&format!("`{key}` is `{class}`")), "{error}");
    }
}

/// Checks that an error is one line that begins with `path`, and returns the error.
fn one_line(result: Result<Pixels, ImageError>, path: &str) -> ImageError {
    let error = result.unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with(&format!("{path}: ")) && !text.contains('\n'), "{text}");
    error
}

#[test]
fn errors_for_invalid_pictures_have_one_line() {
    let processor = ImageProcessor::new(8, 8).unwrap();
    let folder = Scratch::new("image-processor-bad");
    let missing = folder.path().join("missing.png");
    let error = one_line(processor.read(&missing), &missing.display().to_string());
    assert!(matches!(error, ImageError::Io { .. }));
    let error = one_line(processor.read(folder.path()), &folder.path().display().to_string());
    assert!(matches!(error, ImageError::Folder { .. }));
    let process = |bytes: &[u8]| one_line(processor.process("a.jpg", bytes), "a.jpg");
    assert!(matches!(process(b""), ImageError::Empty { .. }));
    assert!(matches!(process(b"<svg/>"), ImageError::NotAnImage { .. }));
    for (bytes, name) in [(b"DDS ".as_slice(), "Dds"), (b"qoif", "Qoi")] {
        assert!(matches!(process(bytes), ImageError::UnsupportedFormat { found, .. } if found == name));
    }
    for damaged in [b"GIF89a".as_slice(), b"II*\0"] {
        assert!(matches!(process(damaged), ImageError::Undecodable { .. }));
    }
}

#[test]
fn truncated_pictures_are_rejected() {
    let processor = ImageProcessor::new(8, 8).unwrap();
    for name in ["420.jpg", "progressive.jpg", "rgb.png", "lossless.webp", "lossy.webp", "rgb.bmp"] {
        let whole = fixture(name);
        // Decoders do not need the end of the file if it contains no pixels.
        for length in (1..whole.len() - 40).step_by(13) {
            let error = one_line(processor.process(name, &whole[..length]), name);
            assert!(length < 12 || matches!(error, ImageError::Undecodable { .. }), "{error}");
        }
    }
}

#[test]
fn unsupported_cmyk_sampling_is_rejected() {
    let processor = ImageProcessor::new(8, 8).unwrap();
    let whole = fixture("cmyk.jpg");
    let frame = whole.windows(2).position(|bytes| bytes == [0xff, 0xc0]).unwrap();
    for sampling in [[0x22, 0x11, 0x11, 0x11], [0x11, 0x11, 0x12, 0x11], [0x12, 0x11, 0x11, 0x12]] {
        let mut bytes = whole.clone();
        sampling.iter().enumerate().for_each(|(ink, factors)| bytes[frame + 11 + 3 * ink] = *factors);
        let error = one_line(processor.process("cmyk.jpg", &bytes), "cmyk.jpg");
        assert!(error.to_string().contains("CMYK whose inks"), "{error}");
    }
}

#[test]
fn huge_pictures_are_rejected() {
    let processor = ImageProcessor::new(8, 8).unwrap();
    let refuse = |name: &str, bytes: &[u8]| match one_line(processor.process(name, bytes), name) {
        ImageError::TooManyPixels { width, height, .. } => (width, height),
        error => panic!("{error}"),
    };
    let mut jpeg = fixture("420.jpg");
    let frame = jpeg.windows(2).position(|bytes| bytes == [0xff, 0xc0]).unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0xf0, 0x00, 0xe0, 0x00]);
    assert_eq!(refuse("large.jpg", &jpeg), (0xe000, 0xf000));
    let mut bmp = fixture("rgb.bmp");
    bmp[18..26].copy_from_slice(&[0, 0xe0, 0, 0, 0, 0xf0, 0, 0]);
    assert_eq!(refuse("large.bmp", &bmp), (0xe000, 0xf000));
    let mut png = fixture("pixel.png");
    png[16..24].copy_from_slice(&[0, 0, 0xe0, 0, 0, 0, 0xf0, 0]);
    // The checksum of the header, which is checked before the size is read.
    png[29..33].copy_from_slice(&PNG_CRC);
    assert_eq!(refuse("large.png", &png), (0xe000, 0xf000));

    let text = r#"{"size": {"shortest_edge": 4096}, "do_center_crop": true, "crop_size": 8}"#;
    let error = one_line(parse(text).unwrap().process("row.png", &fixture("row.png")), "row.png");
    assert!(error.to_string().contains("resized, it has 163840 x 4096 pixels"), "{error}");
}

/// The CRC of `IHDR` with the width and height that the test writes.
const PNG_CRC: [u8; 4] = [247, 162, 114, 59];

/// A case of `tests/fixtures/make_augmentation.py`, which computed the expected results with torchvision and Pillow.
#[derive(serde::Deserialize)]
struct Augmented {
    picture: String,
    crop: [usize; 4],
    flip: bool,
    jitter: Vec<(String, f64)>,
    gray: bool,
    size: [usize; 2],
    filter: u64,
}

/// The results are bit-identical, although a tolerance of 1 of 255 would be enough.
#[test]
fn augmentations_agree_with_torchvision() {
    let bytes = fixture("augmentation/expected.safetensors");
    let expected = SafeTensors::deserialize(&bytes).unwrap();
    let cases: Vec<Augmented> = serde_json::from_slice(&fixture("augmentation/changes.json")).unwrap();
    assert!(cases.len() == expected.len() && cases.len() > 25);
    for (number, case) in cases.into_iter().enumerate() {
        let Augmented { picture, crop: [top, left, height, width], flip, jitter, gray, size, filter } = case;
        let change = |(kind, factor): &(String, f64)| match kind.as_str() {
            "brightness" => Jitter::Brightness(*factor),
            "contrast" => Jitter::Contrast(*factor),
            "saturation" => Jitter::Saturation(*factor),
            "hue" => Jitter::Hue(*factor),
            other => panic!("{other}"),
        };
        let crop = Crop { top, left, height, width };
        let changes = Changes { crop, flip, jitter: jitter.iter().map(change).collect(), gray };
        let text = format!(r#"{{"resample": {filter}, "size": {{"height": {}, "width": {}}}}}"#, size[0], size[1]);
        let processor = parse(&text).unwrap();
        let name = format!("augmentation/{picture}");
        let found = processor.augment(&processor.open(&name, &fixture(&name)).unwrap(), &changes);
        let tensor = expected.tensor(&format!("{number:02}")).unwrap();
        assert_eq!(tensor.shape(), [found.height, found.width, 3]);
        let worst = found.samples.iter().zip(tensor.data()).map(|(found, right)| found.abs_diff(*right)).max();
        assert_eq!(worst, Some(0), "case {number}: {name}, {changes:?}");
    }
}

/// Samples are within their bounds and cover them, and the crop is in the middle if no sampled crop fits.
#[test]
fn augmentation_samples_are_within_their_bounds() {
    // A linear congruential generator.
    let mut state = 1u64;
    let mut uniform = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    let (mut flips, mut grays, mut first, mut least, mut most) = (0, 0, [0; 4], 1.0f64, 0.0f64);
    for _ in 0..4000 {
        let Changes { crop, flip, jitter, gray } = Augmentation::DOMAINBED.draw(200, 300, &mut uniform);
        assert!(crop.top + crop.height <= 200 && crop.left + crop.width <= 300);
        let (area, aspect) = ((crop.height * crop.width) as f64 / 60_000.0, crop.width as f64 / crop.height as f64);
        assert!((0.69..=1.0).contains(&area) && (0.74..1.35).contains(&aspect), "{crop:?}");
        (least, most) = (least.min(area), most.max(area));
        flips += u32::from(flip);
        grays += u32::from(gray);
        assert_eq!(jitter.len(), 4);
        let place = match jitter[0] {
            Jitter::Brightness(factor) => (0, factor - 1.0),
            Jitter::Contrast(factor) => (1, factor - 1.0),
            Jitter::Saturation(factor) => (2, factor - 1.0),
            Jitter::Hue(turn) => (3, turn),
        };
        assert!(place.1.abs() <= 0.3);
        first[place.0] += 1;
    }
    // In a picture with an aspect ratio of 3 to 2, a crop with a ratio of 4 to 3 has at most 8/9 of the area.
    assert!(least < 0.71 && (0.87..0.9).contains(&most), "{least} {most}");
    assert!((1880..2120).contains(&flips) && (330..470).contains(&grays), "{flips} {grays}");
    assert!(first.iter().all(|count| (900..1100).contains(count)), "{first:?}");
    for (height, width, expected) in [(10, 100, (10, 13)), (100, 10, (13, 10))] {
        let crop = Augmentation::DOMAINBED.draw(height, width, || 0.5).crop;
        assert_eq!((crop.height, crop.width), expected, "{crop:?}");
    }
}

/// A written configuration is read back as the same steps.
#[test]
fn saved_configurations_load_unchanged() {
    for text in [
        "{}",
        r#"{"size": {"height": 30, "width": 20}, "resample": 3, "image_mean": [0.485, 0.456, 0.406]}"#,
        r#"{"image_processor_type": "CLIPImageProcessor"}"#,
        r#"{"image_processor_type": "BitImageProcessor", "size": {"shortest_edge": 256}, "do_normalize": false}"#,
        r#"{"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 20, "longest_edge": 30}, "do_center_crop": false}"#,
        r#"{"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 224}}"#,
        r#"{"image_mean": [0.5], "image_std": [0.25], "do_rescale": false, "do_resize": false}"#,
    ] {
        let processor = parse(text).unwrap();
        assert_eq!(parse(&processor.to_json()).unwrap(), processor, "{text} becomes {}", processor.to_json());
    }
}

#[test]
fn with_size_keeps_the_ratio_of_resize_and_crop() {
    let sized = |text: &str, edge| parse(text).unwrap().with_size(edge).unwrap();
    assert_eq!(sized("{}", 112).output_size(), Some((112, 112)));
    let clip = sized(r#"{"image_processor_type": "BitImageProcessor", "size": {"shortest_edge": 256}}"#, 112);
    assert_eq!((clip.resize.map(|(target, _)| target), clip.crop), (Some(Target::ShortestEdge(128)), Some((112, 112))));
    assert_eq!(sized(r#"{"size": {"height": 30, "width": 20}}"#, 60).output_size(), Some((60, 40)));
    let whole = parse(r#"{"image_processor_type": "CLIPImageProcessor"}"#).unwrap().whole(96).unwrap();
    assert_eq!((whole.output_size(), whole.crop), (Some((96, 96)), None));
    for edge in [0, 5000] {
        assert!(matches!(ImageProcessor::new(8, 8).unwrap().with_size(edge), Err(ImageError::Setting { .. })));
    }
}
