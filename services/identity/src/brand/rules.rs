//! What a brand may be: a colour on which white can be read, a sign that is a picture and nothing else, texts that are plain.

use drumtower_proto::identity::Brand;
use drumtower_runtime::Refusal;

/// Least contrast of white on the accent (WCAG 2.2, success criterion 1.4.3).
const LEAST_CONTRAST: f64 = 4.5;
/// Longest side of a sign, pixels: shown at 28, with room for any screen (our decision).
const LONGEST: u32 = 1024;
/// Root texts of a district (our decision: a platform wants one each).
pub const MOST_TEXTS: i64 = 20;
/// Longest root text, bytes.
const LONGEST_TEXT: usize = 1024;

/// What a picture was found to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Picture {
    Png,
    Webp,
}

impl Picture {
    /// As in `content-type`.
    pub fn media(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Webp => "image/webp",
        }
    }
}

/// Whether a brand may be set; what is wrong with it otherwise.
pub fn check(brand: &Brand) -> Result<(), Refusal> {
    let lines = [
        ("brand.name", &brand.name),
        ("brand.name_en", &brand.name_en),
        ("brand.short_name", &brand.short_name),
        ("brand.short_name_en", &brand.short_name_en),
        ("brand.sponsor", &brand.sponsor),
        ("brand.icp_record", &brand.icp_record),
        ("brand.security_record", &brand.security_record),
    ];
    for (field, text) in lines {
        if text.chars().any(char::is_control) || text.trim() != *text {
            return Err(Refusal::invalid(field, "ONE_LINE", "须为一行文字，首尾无空格", "is one line without spaces around it"));
        }
    }
    if let Some(contrast) = contrast_with_white(&brand.accent).filter(|contrast| *contrast < LEAST_CONTRAST) {
        let (zh, en) = (
            format!("颜色过浅：与白色对比度 {contrast:.2}，至少 {LEAST_CONTRAST}"),
            format!("is too light: its contrast with white is {contrast:.2}, at least {LEAST_CONTRAST} is needed"),
        );
        return Err(Refusal::invalid("brand.accent", "CONTRAST", zh, en).fact("contrast", format!("{contrast:.2}")));
    }
    if !brand.logo.is_empty() && picture(&brand.logo).is_none() {
        let (zh, en) = ("标志须为 PNG 或 WebP 图片，边长不超过 1024 像素", "is a PNG or WebP picture of at most 1,024 pixels a side");
        return Err(Refusal::invalid("brand.logo", "NOT_A_PICTURE", zh, en));
    }
    Ok(())
}

/// Contrast of a colour `#RRGGBB` with white, 1 to 21 (WCAG 2.2, relative luminance); none when nothing is said.
fn contrast_with_white(colour: &str) -> Option<f64> {
    let channel = |from: usize| u8::from_str_radix(colour.get(from..from + 2)?, 16).ok().map(linear);
    let (red, green, blue) = (channel(1)?, channel(3)?, channel(5)?);
    Some(1.05 / (0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05))
}

/// A channel of sRGB as light.
fn linear(channel: u8) -> f64 {
    let share = f64::from(channel) / 255.0;
    if share <= 0.040_45 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
}

/// What a picture is, by its content; none when it is no whole PNG or WebP of a size that is taken.
pub fn picture(bytes: &[u8]) -> Option<Picture> {
    let (found, (width, height)) = png(bytes).map(|size| (Picture::Png, size)).or_else(|| webp(bytes).map(|size| (Picture::Webp, size)))?;
    ((1..=LONGEST).contains(&width) && (1..=LONGEST).contains(&height)).then_some(found)
}

/// Width and height of a PNG whose parts reach exactly to its end: nothing hides behind it (PNG, third edition, 5.3).
fn png(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut rest = bytes.strip_prefix(b"\x89PNG\r\n\x1a\n")?;
    let mut size = None;
    loop {
        let (length, after) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (name, after) = after.split_first_chunk::<4>()?;
        let (data, after) = after.split_at_checked(length)?;
        let (_sum, after) = after.split_first_chunk::<4>()?;
        match (name, size) {
            (b"IHDR", None) => size = Some((big(data, 0)?, big(data, 4)?)),
            (_, None) => return None,
            (b"IEND", size) => return size.filter(|_| after.is_empty()),
            _ => {}
        }
        rest = after;
    }
}

fn big(data: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*data.get(at..)?.first_chunk()?))
}

/// Width and height of a WebP whose parts reach exactly to its end (RFC 9649).
fn webp(bytes: &[u8]) -> Option<(u32, u32)> {
    let (length, rest) = bytes.strip_prefix(b"RIFF")?.split_first_chunk::<4>()?;
    if usize::try_from(u32::from_le_bytes(*length)).ok()? != rest.len() {
        return None;
    }
    let (kind, rest) = rest.strip_prefix(b"WEBP")?.split_first_chunk::<4>()?;
    let (length, data) = rest.split_first_chunk::<4>()?;
    let data = data.get(..usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    let little = |at: usize, bytes: usize| {
        let part = data.get(at..at + bytes)?;
        Some(part.iter().rev().fold(0u32, |sum, byte| sum << 8 | u32::from(*byte)))
    };
    match kind {
        b"VP8 " if data.get(3..6)? == b"\x9d\x01\x2a" => Some((little(6, 2)? & 0x3fff, little(8, 2)? & 0x3fff)),
        b"VP8L" if data.first()? == &0x2f => {
            let bits = little(1, 4)?;
            Some(((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1))
        }
        b"VP8X" => Some((little(4, 3)? + 1, little(7, 3)? + 1)),
        _ => None,
    }
}

/// Whether a root text may be set: plain text, lines of it.
pub fn text(text: &str) -> Result<(), Refusal> {
    if text.len() > LONGEST_TEXT {
        return Err(Refusal::invalid("text", "TOO_LONG", "最多 1024 字节", "has at most 1,024 bytes"));
    }
    if text.chars().any(|letter| letter.is_control() && !matches!(letter, '\n' | '\r' | '\t')) {
        return Err(Refusal::invalid("text", "NOT_PLAIN", "只能是纯文本", "is plain text"));
    }
    Ok(())
}

/// A district has enough root texts.
pub fn enough() -> Refusal {
    Refusal::state("TOO_MANY", format!("校验文件最多 {MOST_TEXTS} 个"), format!("at most {MOST_TEXTS} root texts"))
        .fact("most", MOST_TEXTS.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The parts of a PNG; the sums are not looked at.
    fn png_of(width: u32, height: u32) -> Vec<u8> {
        let part = |name: &[u8], data: &[u8]| [&u32::try_from(data.len()).expect("short").to_be_bytes(), name, data, &[0; 4]].concat();
        let head = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 6, 0, 0, 0]].concat();
        [&b"\x89PNG\r\n\x1a\n"[..], &part(b"IHDR", &head), &part(b"IDAT", b"pixels"), &part(b"IEND", b"")].concat()
    }

    fn webp_of(kind: &[u8], data: &[u8]) -> Vec<u8> {
        let length = |bytes: usize| u32::try_from(bytes).expect("short").to_le_bytes();
        [&b"RIFF"[..], &length(12 + data.len()), b"WEBP", kind, &length(data.len()), data].concat()
    }

    fn reason(brand: Brand) -> Option<&'static str> {
        check(&brand).err().map(|refusal| refusal.reason())
    }

    #[test]
    fn white_can_be_read_on_the_accent() {
        let contrast = |colour| contrast_with_white(colour).map(|contrast| (contrast * 100.0).round() / 100.0);
        assert_eq!(contrast("#000000"), Some(21.0));
        assert_eq!(contrast("#ffffff"), Some(1.0));
        // The platform's own colour, and the grey that is just light enough (WebAIM).
        assert_eq!((contrast("#1d5fc2"), contrast("#767676")), (Some(6.06), Some(4.54)));
        assert_eq!(contrast(""), None);
        let of = |accent: &str| reason(Brand { accent: accent.to_owned(), ..Brand::default() });
        assert_eq!((of(""), of("#1d5fc2"), of("#777777"), of("#FFCC00")), (None, None, Some("CONTRAST"), Some("CONTRAST")));
    }

    #[test]
    fn a_sign_is_a_picture_and_nothing_else() {
        assert_eq!(picture(&png_of(96, 64)), Some(Picture::Png));
        assert_eq!(picture(&webp_of(b"VP8L", &[0x2f, 0x3f, 0xc0, 0x0f, 0])), Some(Picture::Webp), "64 by 64");
        assert_eq!(picture(&webp_of(b"VP8 ", b"\x10\x02\x00\x9d\x01\x2a\x40\x00\x40\x00")), Some(Picture::Webp));
        assert_eq!(picture(&webp_of(b"VP8X", &[0, 0, 0, 0, 63, 0, 0, 63, 0, 0])), Some(Picture::Webp));
        let refused = [
            b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>".to_vec(),
            b"GIF89a".to_vec(),
            b"\x89PNG\r\n\x1a\n".to_vec(),
            png_of(0, 64),
            png_of(1025, 64),
            [png_of(96, 64), b"<script>".to_vec()].concat(),
            png_of(96, 64)[..40].to_vec(),
            webp_of(b"VP8X", &[0, 0, 0, 0, 0, 4, 0, 63, 0, 0]),
            webp_of(b"VP9 ", &[0; 10]),
            [webp_of(b"VP8L", &[0x2f, 0x3f, 0xc0, 0x0f, 0]), b"<script>".to_vec()].concat(),
        ];
        for bytes in refused {
            assert_eq!(picture(&bytes), None, "{:?}", String::from_utf8_lossy(&bytes));
            assert_eq!(reason(Brand { logo: bytes, ..Brand::default() }), Some("NOT_A_PICTURE"));
        }
    }

    #[test]
    fn names_are_one_line_and_texts_are_plain() {
        let of = |name: &str| reason(Brand { name: name.to_owned(), ..Brand::default() });
        assert_eq!((of("鼓楼企业服务"), of("鼓楼\n企业服务"), of(" 鼓楼")), (None, Some("ONE_LINE"), Some("ONE_LINE")));
        let of = |content: &str| text(content).err().map(|refusal| refusal.reason());
        assert_eq!((of("6a1f\n"), of("\u{1b}[31m"), of(&"汉".repeat(342))), (None, Some("NOT_PLAIN"), Some("TOO_LONG")));
    }
}
