//! `preprocessor_config.json`: its keys, the defaults of the classes, and the steps that follow from both.

use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};

use super::error::ImageError;
use super::resize::Filter;
use super::{ImageProcessor, Normalize, Target};

/// The largest accepted side in pixels. It is larger than any model's input, and small enough that a damaged configuration
/// cannot fill the memory.
const MAX_EDGE: u64 = 4096;

/// The keys of the file. A key that is absent or null has the default of the class. A key that may have several types stays a
/// JSON value until it is used, so that an error can include its name.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct HuggingFaceConfig {
    image_processor_type: Option<String>,
    /// The older name of `image_processor_type`.
    feature_extractor_type: Option<String>,
    do_resize: Option<bool>,
    size: Option<Value>,
    default_to_square: Option<bool>,
    resample: Option<Value>,
    do_center_crop: Option<bool>,
    crop_size: Option<Value>,
    /// ConvNeXT: the fraction of the resized picture's shorter side that is kept.
    crop_pct: Option<f64>,
    do_rescale: Option<bool>,
    rescale_factor: Option<f64>,
    do_normalize: Option<bool>,
    image_mean: Option<Value>,
    image_std: Option<Value>,
    do_pad: Option<bool>,
}

/// The part of `processor_config.json` that concerns pictures.
#[derive(Deserialize)]
struct ProcessorFile {
    image_processor: Option<HuggingFaceConfig>,
}

/// A class of transformers with the steps of [`ImageProcessor`] in the same order, and its defaults for absent keys.
struct Class {
    /// The name without `ImageProcessor`.
    name: &'static str,
    size: Target,
    /// Whether a size of one number is the length of both sides, and not of the shorter side only.
    square: bool,
    filter: Filter,
    /// The side of the square that is cropped, and whether it is cropped by default.
    crop: Option<(usize, bool)>,
    mean: [f32; 3],
    std: [f32; 3],
}

const fn square(edge: usize) -> Target {
    Target::Exactly { height: edge, width: edge }
}

const HALF: [f32; 3] = [0.5; 3];
/// The statistics of the pictures that CLIP was trained on.
const CLIP_MEAN: [f32; 3] = [0.481_454_66, 0.457_827_5, 0.408_210_73];
const CLIP_STD: [f32; 3] = [0.268_629_54, 0.261_302_6, 0.275_777_1];

const VIT: Class =
    Class { name: "ViT", size: square(224), square: true, filter: Filter::Bilinear, crop: None, mean: HALF, std: HALF };
const CLIP: Class = Class {
    name: "CLIP",
    size: Target::ShortestEdge(224),
    square: false,
    filter: Filter::Bicubic,
    crop: Some((224, true)),
    mean: CLIP_MEAN,
    std: CLIP_STD,
};
const CLASSES: [Class; 7] = [
    VIT,
    Class { name: "DeiT", size: square(256), filter: Filter::Bicubic, crop: Some((224, true)), ..VIT },
    Class { name: "Beit", filter: Filter::Bicubic, crop: Some((224, false)), ..VIT },
    Class { name: "Siglip", square: false, filter: Filter::Bicubic, ..VIT },
    // It crops to a fraction of the side; see `convnext`.
    Class { name: CONVNEXT, size: Target::ShortestEdge(384), square: false, filter: Filter::Bicubic, ..VIT },
    CLIP,
    // The class of DINOv2.
    Class { name: "Bit", ..CLIP },
];

/// The name of ConvNeXT's class, whose resize step also crops.
const CONVNEXT: &str = "ConvNext";
/// ConvNeXT does not crop pictures if the configured side is at least this long.
const UNCROPPED: usize = 384;

/// Reads a checkpoint's folder.
pub(super) fn read(folder: &Path) -> Result<ImageProcessor, ImageError> {
    let whole = folder.join("processor_config.json");
    if let Some(text) = text(&whole)? {
        let file: ProcessorFile = json(&text, &whole)?;
        if let Some(config) = file.image_processor {
            return config.resolve(&whole);
        }
    }
    let own = folder.join("preprocessor_config.json");
    match text(&own)? {
        Some(text) => parse(&text, &own),
        None => Err(ImageError::MissingConfig { folder: folder.to_owned() }),
    }
}

/// Reads the text of a `preprocessor_config.json`. `path` is used in messages only.
pub(super) fn parse(text: &str, path: &Path) -> Result<ImageProcessor, ImageError> {
    json::<HuggingFaceConfig>(text, path)?.resolve(path)
}

/// ViT's processor with another size.
pub(super) fn vit(height: usize, width: usize) -> Result<ImageProcessor, ImageError> {
    let path = "ImageProcessor::new".to_owned();
    let edge = |key, value: usize| Setting { path: &path, key }.edge(&Value::from(value));
    let size = Target::Exactly { height: edge("height", height)?, width: edge("width", width)? };
    let normalize = Normalize { mean: VIT.mean, std: VIT.std };
    let rescale = Some(RESCALE_FACTOR);
    Ok(ImageProcessor {
        resize: Some((size, VIT.filter)),
        crop: None,
        rescale,
        normalize: Some(normalize),
        gray: false,
    })
}

/// Refuses a size that is 0 or above [`MAX_EDGE`].
pub(super) fn check_edge(key: &'static str, edge: usize) -> Result<(), ImageError> {
    Setting { path: "the settings", key }.edge(&Value::from(edge)).map(drop)
}

/// The text of a `preprocessor_config.json` with these steps.
pub(super) fn to_json(processor: &ImageProcessor) -> String {
    let ImageProcessor { resize, crop, rescale, normalize, gray } = processor;
    let size = resize.map(|(target, _)| match target {
        Target::Exactly { height, width } => json!({"height": height, "width": width}),
        Target::ShortestEdge(edge) => json!({"shortest_edge": edge}),
        Target::Within { shortest, longest } => json!({"shortest_edge": shortest, "longest_edge": longest}),
    });
    // `resolve` reads a list of one number as brightness.
    let channels = |values: [f32; 3]| if *gray { json!([values[0]]) } else { json!(values) };
    let exactly = matches!(resize, Some((Target::Exactly { .. }, _)) | None);
    let config = json!({
        // ViT's class can only resize to a height and a width.
        "image_processor_type": if exactly && crop.is_none() { "ViTImageProcessor" } else { "CLIPImageProcessor" },
        "do_resize": resize.is_some(),
        "size": size,
        "resample": resize.map(|(_, filter)| filter.number()),
        "do_center_crop": crop.is_some(),
        "crop_size": crop.map(|(height, width)| json!({"height": height, "width": width})),
        "do_rescale": rescale.is_some(),
        "rescale_factor": rescale,
        "do_normalize": normalize.is_some(),
        "image_mean": normalize.map(|normalize| channels(normalize.mean)),
        "image_std": normalize.map(|normalize| channels(normalize.std)),
    });
    let keys = config.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    let keys: serde_json::Map<String, Value> = keys.map(|(key, value)| (key.clone(), value.clone())).collect();
    format!("{:#}\n", Value::Object(keys))
}

/// The factor from samples of 8 bits to values from 0 to 1.
const RESCALE_FACTOR: f64 = 1.0 / 255.0;

/// The text of a file. `None` if there is no such file.
fn text(path: &Path) -> Result<Option<String>, ImageError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(source) if source.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ImageError::Io { path: path.to_owned(), source }),
    }
}

fn json<'a, T: Deserialize<'a>>(text: &'a str, path: &Path) -> Result<T, ImageError> {
    serde_json::from_str(text).map_err(|source| ImageError::Json { path: path.to_owned(), source: source.into() })
}

impl HuggingFaceConfig {
    /// Determines every step. The settings of a disabled step are ignored.
    fn resolve(&self, path: &Path) -> Result<ImageProcessor, ImageError> {
        let path = path.display().to_string();
        let class = self.class(&path)?;
        let at = |key| Setting { path: &path, key };
        if self.do_pad == Some(true) {
            return Err(at("do_pad").refuse("true", "false, because padding is not supported"));
        }
        let mut processor = ImageProcessor { resize: None, crop: None, rescale: None, normalize: None, gray: false };
        if self.do_resize.unwrap_or(true) {
            let square = self.default_to_square.unwrap_or(class.square);
            let target = self.size.as_ref().map_or(Ok(class.size), |size| at("size").target(size, square))?;
            let filter = self.resample.as_ref().map_or(Ok(class.filter), |number| at("resample").filter(number))?;
            processor.resize = Some((target, filter));
            if class.name == CONVNEXT {
                let (target, crop) = at("crop_pct").convnext(target, self.crop_pct.unwrap_or(224.0 / 256.0))?;
                (processor.resize, processor.crop) = (Some((target, filter)), crop);
            }
        }
        if self.do_center_crop.unwrap_or(matches!(class.crop, Some((_, true)))) {
            processor.crop = match (&self.crop_size, class.crop) {
                (Some(size), _) => Some(at("crop_size").height_and_width(size)?),
                (None, Some((edge, _))) => Some((edge, edge)),
                (None, None) => return Err(at("crop_size").refuse("absent", "a size if do_center_crop is true")),
            };
        }
        if self.do_rescale.unwrap_or(true) {
            let factor = self.rescale_factor.unwrap_or(RESCALE_FACTOR);
            if !(factor > 0.0 && (255.0 * factor) as f32 <= f32::MAX) {
                return Err(at("rescale_factor").refuse(factor, "a finite number above 0"));
            }
            processor.rescale = Some(factor);
        }
        if self.do_normalize.unwrap_or(true) {
            let mean = self.image_mean.as_ref().map_or(Ok(class.mean), |mean| at("image_mean").channels(mean))?;
            let std = self.image_std.as_ref().map_or(Ok(class.std), |std| at("image_std").channels(std))?;
            if !std.iter().all(|std| *std > 0.0) {
                return Err(at("image_std").refuse(format!("{std:?}"), "above 0 in each channel"));
            }
            processor.normalize = Some(Normalize { mean, std });
            // A list of one number means that the model has one channel.
            let one =
                |list: &Option<Value>| list.as_ref().and_then(Value::as_array).is_some_and(|list| list.len() == 1);
            processor.gray = one(&self.image_mean) || one(&self.image_std);
        }
        Ok(processor)
    }

    /// The class in the file, by its current name or an older one. If the file has no class, it is ViT's.
    fn class(&self, path: &str) -> Result<&'static Class, ImageError> {
        let (key, found) = match (&self.image_processor_type, &self.feature_extractor_type) {
            (Some(name), _) => ("image_processor_type", name),
            (None, Some(name)) => ("feature_extractor_type", name),
            (None, None) => return Ok(&CLASSES[0]),
        };
        let name = ["Fast", "Pil"].iter().find_map(|end| found.strip_suffix(end)).unwrap_or(found);
        let name = ["ImageProcessor", "FeatureExtractor"].iter().find_map(|end| name.strip_suffix(end));
        CLASSES.iter().find(|class| Some(class.name) == name).ok_or_else(|| ImageError::UnknownProcessor {
            path: path.to_owned(),
            key,
            found: found.clone(),
            known: CLASSES.iter().map(|class| class.name).collect(),
        })
    }
}

/// A key of a file, and the functions that parse its value.
#[derive(Clone, Copy)]
struct Setting<'a> {
    path: &'a str,
    key: &'static str,
}

impl Setting<'_> {
    fn refuse(self, found: impl ToString, expected: impl Into<String>) -> ImageError {
        ImageError::Setting {
            path: self.path.to_owned(),
            key: self.key,
            found: found.to_string(),
            expected: expected.into(),
        }
    }

    /// The number of pixels along a side.
    fn edge(self, value: &Value) -> Result<usize, ImageError> {
        value
            .as_u64()
            .filter(|edge| (1..=MAX_EDGE).contains(edge))
            .and_then(|edge| usize::try_from(edge).ok())
            .ok_or_else(|| self.refuse(value, format!("a whole number of pixels from 1 to {MAX_EDGE}")))
    }

    /// ConvNeXT's resize. For a short side, the picture is resized to a longer side and then cropped. For a side of at least
    /// [`UNCROPPED`], it is resized to a square without a crop.
    fn convnext(self, target: Target, part: f64) -> Result<(Target, Option<(usize, usize)>), ImageError> {
        if !(part > 0.0 && part <= 1.0) {
            return Err(self.refuse(part, "a number above 0, up to 1"));
        }
        match target {
            Target::ShortestEdge(edge) if edge < UNCROPPED => {
                Ok((Target::ShortestEdge((edge as f64 / part) as usize), Some((edge, edge))))
            }
            Target::ShortestEdge(edge) => Ok((square(edge), None)),
            other => Err(self.refuse(part, format!("used with a size of shortest_edge only, not with {other:?}"))),
        }
    }

    /// The size of a resize, in any of its forms.
    fn target(self, value: &Value, square: bool) -> Result<Target, ImageError> {
        match value.as_object() {
            Some(size) if size.len() == 1 && size.contains_key("shortest_edge") => {
                Ok(Target::ShortestEdge(self.edge(&size["shortest_edge"])?))
            }
            Some(size)
                if size.len() == 2 && size.contains_key("shortest_edge") && size.contains_key("longest_edge") =>
            {
                Ok(Target::Within {
                    shortest: self.edge(&size["shortest_edge"])?,
                    longest: self.edge(&size["longest_edge"])?,
                })
            }
            None if value.is_number() && !square => Ok(Target::ShortestEdge(self.edge(value)?)),
            _ => self.height_and_width(value).map(|(height, width)| Target::Exactly { height, width }),
        }
    }

    /// A height and a width, or one number for both. A list has the height and the width, as older versions of transformers
    /// write it.
    fn height_and_width(self, value: &Value) -> Result<(usize, usize), ImageError> {
        if let Some([height, width]) = value.as_array().map(Vec::as_slice) {
            return Ok((self.edge(height)?, self.edge(width)?));
        }
        match value.as_object() {
            Some(size) if size.len() == 2 && size.contains_key("height") && size.contains_key("width") => {
                Ok((self.edge(&size["height"])?, self.edge(&size["width"])?))
            }
            None if value.is_number() => self.edge(value).map(|edge| (edge, edge)),
            _ => {
                let crop = self.key == "crop_size";
                let expected =
                    if crop { "a number, or height and width" } else { "a number, height and width, or shortest_edge" };
                Err(self.refuse(value, expected))
            }
        }
    }

    fn filter(self, value: &Value) -> Result<Filter, ImageError> {
        value.as_u64().and_then(Filter::from_number).ok_or_else(|| {
            self.refuse(value, "0 (nearest), 1 (lanczos), 2 (bilinear), 3 (bicubic), 4 (box) or 5 (hamming)")
        })
    }

    /// One number for each channel, or one number for all channels.
    fn channels(self, value: &Value) -> Result<[f32; 3], ImageError> {
        let number = |value: &Value| value.as_f64().map(|number| number as f32).filter(|number| number.is_finite());
        let numbers = match value.as_array() {
            Some(list) => {
                list.iter().map(number).collect::<Option<Vec<f32>>>().and_then(|list| match list.as_slice() {
                    [one] => Some([*one; 3]),
                    list => list.try_into().ok(),
                })
            }
            None => number(value).map(|number| [number; 3]),
        };
        numbers.ok_or_else(|| self.refuse(value, "three finite numbers for red, green and blue, or one for brightness"))
    }
}
