//! A photo is written anew from its pixels: what a camera or a phone writes beside them (where, when, with which device) does not come
//! along, nor what somebody hid behind the picture. It is turned upright first, for that is written there too.

use std::io::Cursor;

use image::{
    DynamicImage, ImageDecoder as _, ImageFormat, ImageReader, Limits,
    codecs::{jpeg::JpegEncoder, png::PngEncoder},
    imageops::FilterType,
};

use super::rules::Rejection;

/// Most pixels (our decision: a 48-megapixel phone; decoded they are 150 MB).
const MOST_PIXELS: u64 = 50_000_000;
/// Longest side.
const LONGEST: u32 = 16_384;
/// What decoding may take in memory.
const MEMORY: u64 = 256 * 1024 * 1024;
/// Longest side of the small picture.
const SMALL: u32 = 320;
/// Quality of what is kept: a second compression that nobody sees.
const QUALITY: u8 = 92;
const SMALL_QUALITY: u8 = 80;

/// A photo as it is kept.
#[derive(Debug)]
pub struct Photo {
    pub media: &'static str,
    pub bytes: Vec<u8>,
    /// A small JPEG.
    pub thumbnail: Vec<u8>,
}

/// Writes a photo anew. PNG stays PNG, without loss; everything else becomes JPEG.
pub fn anew(media: &str, bytes: &[u8]) -> Result<Photo, Rejection> {
    let png = media == "image/png";
    let picture = upright(format(media)?, bytes)?;
    let thumbnail = jpeg(&small(&picture), SMALL_QUALITY)?;
    let (media, bytes) = if png { ("image/png", lossless(&picture)?) } else { ("image/jpeg", jpeg(&picture, QUALITY)?) };
    Ok(Photo { media, bytes, thumbnail })
}

fn format(media: &str) -> Result<ImageFormat, Rejection> {
    match media {
        "image/jpeg" => Ok(ImageFormat::Jpeg),
        "image/png" => Ok(ImageFormat::Png),
        "image/webp" => Ok(ImageFormat::WebP),
        _ => Err(Rejection::NotAPhoto),
    }
}

/// The pixels, as they are to be looked at. The size that the head says is judged before anything is unpacked.
fn upright(format: ImageFormat, bytes: &[u8]) -> Result<DynamicImage, Rejection> {
    let unreadable = |_| Rejection::Unreadable;
    let (width, height) = ImageReader::with_format(Cursor::new(bytes), format).into_dimensions().map_err(unreadable)?;
    if width > LONGEST || height > LONGEST || u64::from(width) * u64::from(height) > MOST_PIXELS {
        return Err(Rejection::TooManyPixels);
    }
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MEMORY);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(unreadable)?;
    let orientation = decoder.orientation().map_err(unreadable)?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(unreadable)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

fn small(picture: &DynamicImage) -> DynamicImage {
    if picture.width() <= SMALL && picture.height() <= SMALL {
        return picture.clone();
    }
    // Roughly first: a good filter over fifty million pixels takes seconds.
    let rough = picture.thumbnail(2 * SMALL, 2 * SMALL);
    rough.resize(SMALL, SMALL, FilterType::Triangle)
}

fn jpeg(picture: &DynamicImage, quality: u8) -> Result<Vec<u8>, Rejection> {
    let mut bytes = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut bytes, quality);
    picture.to_rgb8().write_with_encoder(encoder).map_err(|_| Rejection::Unreadable)?;
    Ok(bytes)
}

fn lossless(picture: &DynamicImage) -> Result<Vec<u8>, Rejection> {
    let mut bytes = Vec::new();
    picture.write_with_encoder(PngEncoder::new(&mut bytes)).map_err(|_| Rejection::Unreadable)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use image::{Rgb, RgbImage};

    use super::*;

    /// Red on the left, blue on the right.
    fn picture(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, _| if x < width / 2 { Rgb([255, 0, 0]) } else { Rgb([0, 0, 255]) })
    }

    fn encoded(format: ImageFormat, picture: &RgbImage) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).expect("encoded");
        bytes.into_inner()
    }

    /// An EXIF block: orientation, and a GPS directory that says 26° N.
    fn exif(orientation: u16) -> Vec<u8> {
        let mut tiff = b"MM\0\x2a\0\0\0\x08\0\x02".to_vec();
        tiff.extend([0x01, 0x12, 0, 3, 0, 0, 0, 1]);
        tiff.extend(orientation.to_be_bytes());
        tiff.extend([0, 0]);
        tiff.extend([0x88, 0x25, 0, 4, 0, 0, 0, 1, 0, 0, 0, 38]);
        tiff.extend([0, 0, 0, 0]);
        tiff.extend([0, 2, 0, 1, 0, 2, 0, 0, 0, 2]);
        tiff.extend(*b"N\0\0\0");
        tiff.extend([0, 2, 0, 5, 0, 0, 0, 3, 0, 0, 0, 68, 0, 0, 0, 0]);
        for number in [26u32, 1, 4, 1, 30, 1] {
            tiff.extend(number.to_be_bytes());
        }
        tiff.extend(b"GPS-OF-THE-CAMERA");
        [b"Exif\0\0", &tiff[..]].concat()
    }

    /// A JPEG with such a block, a comment, and something behind its end.
    fn from_a_phone(orientation: u16) -> Vec<u8> {
        let jpeg = encoded(ImageFormat::Jpeg, &picture(640, 480));
        let segment = |marker: u8, body: &[u8]| {
            let length = u16::try_from(body.len() + 2).expect("short").to_be_bytes();
            [&[0xff, marker][..], &length, body].concat()
        };
        [&jpeg[..2], &segment(0xe1, &exif(orientation)), &segment(0xfe, b"COMMENT-OF-THE-CAMERA"), &jpeg[2..], b"HIDDEN-BEHIND"].concat()
    }

    fn holds(bytes: &[u8], what: &[u8]) -> bool {
        bytes.windows(what.len()).any(|window| window == what)
    }

    #[test]
    fn what_the_camera_wrote_beside_the_picture_is_gone_and_it_stands_upright() {
        let original = from_a_phone(6);
        for mark in [&b"Exif"[..], b"GPS-OF-THE-CAMERA", b"COMMENT-OF-THE-CAMERA", b"HIDDEN-BEHIND"] {
            assert!(holds(&original, mark), "the test's own photo has it");
        }
        let kept = anew("image/jpeg", &original).expect("a photo");
        for bytes in [&kept.bytes, &kept.thumbnail] {
            for mark in [&b"Exif"[..], b"GPS-OF", b"COMMENT-OF", b"HIDDEN", b"MM\0\x2a"] {
                assert!(!holds(bytes, mark), "{}", String::from_utf8_lossy(mark));
            }
            assert!(!holds(bytes, &[0xff, 0xe1]), "no application segment of that kind at all");
        }
        let turned = image::load_from_memory(&kept.bytes).expect("a picture").to_rgb8();
        assert_eq!(turned.dimensions(), (480, 640), "turned by what the camera said");
        assert!(turned.get_pixel(240, 10).0[0] > 200 && turned.get_pixel(240, 630).0[2] > 200, "left is up now");
        assert_eq!(image::load_from_memory(&anew("image/jpeg", &from_a_phone(1)).expect("a photo").bytes).expect("one").width(), 640);
        let small = image::load_from_memory(&kept.thumbnail).expect("a picture");
        assert_eq!((small.width(), small.height()), (240, 320));
    }

    #[test]
    fn png_stays_as_it_is_and_webp_becomes_jpeg() {
        let plain = encoded(ImageFormat::Png, &picture(100, 50));
        // Behind the head of 33 bytes: a text, as some cameras and all editors write one.
        let text = b"tEXtComment\0HELLO";
        let length = u32::try_from(text.len() - 4).expect("short").to_be_bytes();
        let png = [&plain[..33], &length, text, &crc(text).to_be_bytes(), &plain[33..]].concat();
        let kept = anew("image/png", &png).expect("a photo");
        assert_eq!((kept.media, image::load_from_memory(&kept.bytes).expect("one").to_rgb8() == picture(100, 50)), ("image/png", true));
        assert!(holds(&png, b"HELLO") && !holds(&kept.bytes, b"HELLO") && !holds(&kept.bytes, b"tEXt"));
        let webp = anew("image/webp", &encoded(ImageFormat::WebP, &picture(100, 50))).expect("a photo");
        assert_eq!((webp.media, &webp.bytes[..3]), ("image/jpeg", &[0xff, 0xd8, 0xff][..]));
    }

    #[test]
    fn a_bomb_is_refused_by_what_its_head_says() {
        // 60,000 by 60,000 pixels in some hundred bytes: only the head is true.
        let mut png = encoded(ImageFormat::Png, &picture(8, 8));
        png[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]);
        let head = crc(&png[12..29]);
        png[29..33].copy_from_slice(&head.to_be_bytes());
        assert_eq!(anew("image/png", &png).expect_err("refused"), Rejection::TooManyPixels);
        let whole = encoded(ImageFormat::Jpeg, &picture(640, 480));
        assert_eq!(anew("image/jpeg", &whole[..400]).expect_err("refused"), Rejection::Unreadable);
        assert_eq!(anew("image/jpeg", b"\xff\xd8\xff\xe0 no photo at all").expect_err("refused"), Rejection::Unreadable);
    }

    fn crc(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(!0u32, |sum, byte| {
            (0..8).fold(sum ^ u32::from(*byte), |sum, _| if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 })
        })
    }
}
