//! Decoding of pictures to RGB, with Pillow's decoding, rotation and conversion.
//!
//! JPEG files are not decoded by the `image` crate. Its colors of subsampled pictures differ by up to 9 of 255 from those of
//! libjpeg-turbo, which Pillow uses. libjpeg-turbo-rs is a port of libjpeg-turbo to Rust and decodes to the same bytes.

use std::io::Cursor;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbImage};
use libjpeg_turbo_rs::{DecodeLimits, Decoder, PixelFormat};

use super::error::ImageError;
use super::picture::{MAX_PIXELS, Picture, check_pixels};
use crate::panics::caught;

/// The supported formats, for messages.
const FORMATS: &str = "PNG, JPEG, WebP, BMP, GIF or TIFF";

/// The memory that a decoder may allocate, in bytes: enough for `MAX_PIXELS` in RGB and some working space.
const MAX_BYTES: u64 = 1 << 30;

/// Decodes the bytes of a file. `name` is the name of the file in errors.
pub(super) fn decode(name: &str, bytes: &[u8]) -> Result<Picture, ImageError> {
    caught(|| unpack(name, bytes)).unwrap_or_else(|panic| Err(undecodable(name, panic)))
}

fn unpack(name: &str, bytes: &[u8]) -> Result<Picture, ImageError> {
    if bytes.is_empty() {
        return Err(ImageError::Empty { path: name.to_owned() });
    }
    let format =
        image::guess_format(bytes).map_err(|_| ImageError::NotAnImage { path: name.to_owned(), expected: FORMATS })?;
    let (mut picture, orientation) = match format {
        ImageFormat::Jpeg => jpeg(name, bytes)?,
        ImageFormat::Png | ImageFormat::WebP | ImageFormat::Bmp | ImageFormat::Gif | ImageFormat::Tiff => {
            other(name, bytes, format)?
        }
        other => {
            let found = format!("{other:?}");
            return Err(ImageError::UnsupportedFormat { path: name.to_owned(), found, expected: FORMATS });
        }
    };
    picture.apply_orientation(orientation);
    Ok(rgb(picture))
}

/// Decodes a JPEG strictly. Otherwise the missing part of a truncated picture would be filled with gray.
fn jpeg(name: &str, bytes: &[u8]) -> Result<(DynamicImage, Orientation), ImageError> {
    let limits = DecodeLimits { max_pixels: MAX_PIXELS as u64, max_memory: Some(MAX_BYTES), ..DecodeLimits::default() };
    let mut decoder = Decoder::new_with_limits(bytes, limits).map_err(|source| undecodable(name, source))?;
    let frame = decoder.header();
    check_pixels(name, "it", frame.width(), frame.height())?;
    let sampling: Vec<(u8, u8)> =
        frame.components.iter().map(|component| (component.horizontal_sampling, component.vertical_sampling)).collect();
    let inks = sampling.len() == 4;
    if inks && !known_inks(&sampling) {
        return Err(undecodable(name, "CMYK whose inks are subsampled in an unsupported way"));
    }
    decoder.set_output_format(if inks { PixelFormat::Cmyk } else { PixelFormat::Rgb });
    let decoded = decoder.decode_image().map_err(|source| undecodable(name, source))?;
    let orientation = orientation(decoded.exif_data(), decoded.xmp_data());
    let (width, height) = (decoded.width as u32, decoded.height as u32);
    let samples = if inks { without_ink(&decoded.data) } else { decoded.data };
    let picture =
        RgbImage::from_raw(width, height, samples).ok_or_else(|| undecodable(name, "its samples are not 8-bit"))?;
    Ok((DynamicImage::ImageRgb8(picture), orientation))
}

/// Whether libjpeg-turbo-rs 0.9 decodes the subsampling of four inks correctly. The first and the last ink must be sampled in
/// full. The second and the third must have the same sampling: in full, with half the columns, or with half the columns and
/// rows. For any other subsampling, the result differs from libjpeg-turbo's, or libjpeg-turbo-rs panics.
fn known_inks(sampling: &[(u8, u8)]) -> bool {
    let &[first, second, third, fourth] = sampling else { return false };
    let times = |by: (u8, u8)| (second.0 * by.0, second.1 * by.1);
    first == fourth && second == third && [(1, 1), (2, 1), (2, 2)].map(times).contains(&first)
}

/// Converts CMYK to RGB with Pillow's arithmetic. As in Pillow, the samples are treated as inverted, because Adobe writes them
/// so.
fn without_ink(samples: &[u8]) -> Vec<u8> {
    samples
        .as_chunks()
        .0
        .iter()
        .flat_map(|&[cyan, magenta, yellow, light]| {
            [cyan, magenta, yellow].map(|inverted| {
                let light = u32::from(light);
                let product = (255 - u32::from(inverted)) * light + 128;
                light.saturating_sub(((product >> 8) + product) >> 8) as u8
            })
        })
        .collect()
}

/// Decodes a format with the `image` crate.
fn other(name: &str, bytes: &[u8], format: ImageFormat) -> Result<(DynamicImage, Orientation), ImageError> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MAX_BYTES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|source| undecodable(name, source))?;
    let (width, height) = decoder.dimensions();
    check_pixels(name, "it", width as usize, height as usize)?;
    // A picture with damaged metadata is not refused.
    let (exif, xmp) = (decoder.exif_metadata().unwrap_or_default(), decoder.xmp_metadata().unwrap_or_default());
    let orientation = orientation(exif.as_deref(), xmp.as_deref());
    let decoded = DynamicImage::from_decoder(decoder).map_err(|source| undecodable(name, source))?;
    Ok((decoded, orientation))
}

/// Pillow's `convert("RGB")`, which drops transparency and keeps the colors of transparent pixels.
fn rgb(picture: DynamicImage) -> Picture {
    let (height, width) = (picture.height() as usize, picture.width() as usize);
    let samples = match picture {
        // Pillow clips values above 255 and does not scale them, so most of a picture with 16 bits is white.
        DynamicImage::ImageLuma16(gray) => gray.iter().flat_map(|sample| [(*sample).min(255) as u8; 3]).collect(),
        DynamicImage::ImageLumaA16(_) | DynamicImage::ImageRgb16(_) | DynamicImage::ImageRgba16(_) => {
            picture.into_rgb16().iter().map(|sample| (sample >> 8) as u8).collect()
        }
        other => other.into_rgb8().into_raw(),
    };
    Picture { samples, height, width }
}

/// The orientation of a picture from EXIF, or else from XMP, as in Pillow.
fn orientation(exif: Option<&[u8]>, xmp: Option<&[u8]>) -> Orientation {
    let by_exif = || {
        let exif = exif?;
        // Some WebP files have the prefix that only JPEG should have.
        Orientation::from_exif_chunk(exif.strip_prefix(b"Exif\0\0").unwrap_or(exif))
    };
    let by_xmp = || {
        const KEY: &[u8] = b"tiff:Orientation";
        xmp?.windows(KEY.len() + 3).find_map(|window| match window.strip_prefix(KEY)? {
            [b'=', b'"', digit @ b'0'..=b'9'] => Some(digit - b'0'),
            [b'>', digit @ b'0'..=b'9', _] => Some(digit - b'0'),
            _ => None,
        })
    };
    by_exif().or_else(|| by_xmp().and_then(Orientation::from_exif)).unwrap_or(Orientation::NoTransforms)
}

fn undecodable(name: &str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ImageError {
    ImageError::Undecodable { path: name.to_owned(), source: source.into() }
}
