//! Pictures of every format, in colors and as brightness.
#![no_main]

use std::sync::LazyLock;

use asym_data::ImageProcessor;
use libfuzzer_sys::fuzz_target;

/// A picture of a few kilobytes may have as many pixels as the library reads, and resizing it takes seconds. Such pictures are
/// decoded, and no more is done with them.
const PIXELS: usize = 1 << 20;

static COLORS: LazyLock<ImageProcessor> =
    LazyLock::new(|| ImageProcessor::new(8, 8).expect("a size that every model could have"));
static BRIGHTNESS: LazyLock<ImageProcessor> = LazyLock::new(|| COLORS.clone().for_channels(1));

fuzz_target!(|data: &[u8]| {
    let Ok(picture) = COLORS.open("picture", data) else { return };
    assert_eq!(picture.samples.len(), picture.height * picture.width * 3);
    if picture.height * picture.width > PIXELS {
        return;
    }
    for processor in [&*COLORS, &*BRIGHTNESS] {
        let pixels = processor.process("picture", data).expect("a picture that was opened before");
        assert_eq!((pixels.height, pixels.width), (8, 8));
        assert_eq!(pixels.values.len(), pixels.channels * 64);
        assert!(pixels.values.iter().all(|value| value.is_finite()));
    }
});
