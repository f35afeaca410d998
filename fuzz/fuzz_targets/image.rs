//! Images of all formats, in color and in grayscale.
#![no_main]

use std::sync::LazyLock;

use asym_data::ImageProcessor;
use libfuzzer_sys::fuzz_target;

/// The maximum number of pixels of an image that is resized. A file of a few kilobytes can have the maximum number of pixels that
/// the library accepts, and resizing such an image takes seconds. Larger images are only decoded.
const PIXELS: usize = 1 << 20;

static COLORS: LazyLock<ImageProcessor> = LazyLock::new(|| ImageProcessor::new(8, 8).expect("the size is valid"));
static BRIGHTNESS: LazyLock<ImageProcessor> = LazyLock::new(|| COLORS.clone().for_channels(1));

fuzz_target!(|data: &[u8]| {
    let Ok(picture) = COLORS.open("picture", data) else { return };
    assert_eq!(picture.samples.len(), picture.height * picture.width * 3);
    if picture.height * picture.width > PIXELS {
        return;
    }
    for processor in [&*COLORS, &*BRIGHTNESS] {
        let pixels = processor.process("picture", data).expect("an image that can be opened can be processed");
        assert_eq!((pixels.height, pixels.width), (8, 8));
        assert_eq!(pixels.values.len(), pixels.channels * 64);
        assert!(pixels.values.iter().all(|value| value.is_finite()));
    }
});
