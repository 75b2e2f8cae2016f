//! The unified social credit code (统一社会信用代码, GB 32100-2015): 17 places and a check digit mod 31; places 9 to 17 are the
//! organisation code (GB 11714) with a check digit of their own, mod 11. Most libraries skip the second, which lets nine of ten random
//! codes through.

/// What a code is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Both digits hold.
    Ok,
    /// Not 18 places of the alphabet.
    Format,
    /// The last digit does not hold; the organisation code does. Some codes issued before 2016 are so.
    Check,
    /// The organisation code's digit does not hold.
    Organisation,
    /// A resident's identity number stands where a code should.
    Identity,
    /// A number that a spreadsheet rounded: all-digit codes lose their last places there.
    Rounded,
}

const ALPHABET: &[u8] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
/// 3^i mod 31.
const WEIGHTS: [u32; 17] = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28];
const ORGANISATION_WEIGHTS: [u32; 8] = [3, 7, 9, 10, 5, 8, 4, 2];
const IDENTITY_WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];

/// Full width to half, upper case, without blanks, hyphens and marks that nobody sees. O and I are not mended: a person confirms.
pub fn normalise(text: &str) -> String {
    text.chars()
        .map(half_width)
        .filter(|letter| !letter.is_whitespace() && !matches!(letter, '-' | '\u{feff}' | '\u{200b}'..='\u{200f}' | '\u{2060}'))
        .flat_map(char::to_uppercase)
        .collect()
}

/// A full-width letter's half-width form.
pub fn half_width(letter: char) -> char {
    match letter {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(letter as u32 - 0xfee0).unwrap_or(letter),
        '\u{3000}' => ' ',
        other => other,
    }
}

/// What a normalised code is.
pub fn verdict(code: &str) -> Verdict {
    if looks_rounded(code) {
        return Verdict::Rounded;
    }
    if is_identity_number(code) {
        return Verdict::Identity;
    }
    let values: Option<Vec<u32>> = code.bytes().map(value).collect();
    let Some(values) = values.filter(|values| values.len() == 18) else { return Verdict::Format };
    if !code.as_bytes()[2..8].iter().all(u8::is_ascii_digit) {
        return Verdict::Format;
    }
    if !organisation_holds(&code.as_bytes()[8..17]) {
        return Verdict::Organisation;
    }
    let sum: u32 = values[..17].iter().zip(WEIGHTS).map(|(value, weight)| value * weight).sum();
    // The outer remainder makes 0 of 31: without it a check digit 0 never holds.
    if (31 - sum % 31) % 31 == values[17] { Verdict::Ok } else { Verdict::Check }
}

fn value(byte: u8) -> Option<u32> {
    ALPHABET.iter().position(|known| *known == byte).and_then(|place| u32::try_from(place).ok())
}

/// The organisation code counts in a table of its own: all 36 of 0-9 and A-Z.
fn organisation_holds(code: &[u8]) -> bool {
    let value = |byte: u8| match byte {
        b'0'..=b'9' => u32::from(byte - b'0'),
        _ => u32::from(byte) - 55,
    };
    let sum: u32 = code[..8].iter().zip(ORGANISATION_WEIGHTS).map(|(byte, weight)| value(*byte) * weight).sum();
    match (11 - sum % 11) % 11 {
        10 => code[8] == b'X',
        digit => u32::from(code[8]) == u32::from(b'0') + digit,
    }
}

/// 18 places that hold ISO 7064 mod 11-2 and have a date where identity numbers have one.
fn is_identity_number(code: &str) -> bool {
    let bytes = code.as_bytes();
    if bytes.len() != 18 || !bytes[..17].iter().all(u8::is_ascii_digit) {
        return false;
    }
    let date = format!("{}-{}-{}", &code[6..10], &code[10..12], &code[12..14]);
    if date.parse::<jiff::civil::Date>().is_err() || !matches!(&code[6..8], "19" | "20") {
        return false;
    }
    let sum: u32 = bytes[..17].iter().zip(IDENTITY_WEIGHTS).map(|(byte, weight)| u32::from(byte - b'0') * weight).sum();
    bytes[17] == b"10X98765432"[(sum % 11) as usize]
}

/// 9.13502E+17, or digits that end in the zeros of a rounded number.
fn looks_rounded(code: &str) -> bool {
    code.contains("E+") || (code.contains('.') && code.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_codes_are_judged_right() {
        let good = [
            "91310000631137409B",
            "91440600564536724H",
            "91350200MA31E12PXF",
            "91350503MA31DKY80A",
            "91350213678251743X",
            "913502000728319549",
            "91350200776049653A",
            "123502001549897397",
            "12440600MB2C07549J",
        ];
        for code in good {
            assert_eq!(verdict(code), Verdict::Ok, "{code}");
        }
        assert_eq!(verdict("91350203M0001QAY9B"), Verdict::Check);
        assert_eq!(verdict("91350203M0001QKT19"), Verdict::Check);
        assert_ne!(verdict("111111111111111111"), Verdict::Ok);
        assert_ne!(verdict("91310000631137490B"), Verdict::Ok);
        assert_eq!(verdict("91310000631137409b"), Verdict::Format);
        assert_eq!(verdict("91310000631137409BX"), Verdict::Format);
        assert_eq!(verdict("9.13502E+17"), Verdict::Rounded);
        // It holds mod 31: only the organisation code and the identity number's own digit tell.
        assert_ne!(verdict("362322198709086409"), Verdict::Ok);
        assert_eq!(verdict("11010519491231002X"), Verdict::Identity);
    }

    #[test]
    fn codes_are_normalised_and_never_guessed() {
        assert_eq!(normalise(" ９１310000-631137409ｂ\u{feff}"), "91310000631137409B");
        assert_eq!(normalise("O1I"), "O1I");
    }

    proptest! {
        #[test]
        fn a_wrong_place_is_always_caught(place in 0..18usize, letter in 0..31usize) {
            let code = "91350200MA31E12PXF";
            let mut bent = code.as_bytes().to_vec();
            bent[place] = ALPHABET[letter];
            let bent = String::from_utf8(bent).expect("ASCII");
            prop_assert_eq!(verdict(&bent) == Verdict::Ok, bent == code);
        }

        #[test]
        fn two_places_swapped_are_always_caught(place in 0..17usize) {
            let code = "91350200MA31E12PXF";
            let mut bent = code.as_bytes().to_vec();
            bent.swap(place, place + 1);
            let bent = String::from_utf8(bent).expect("ASCII");
            prop_assert_eq!(verdict(&bent) == Verdict::Ok, bent == code);
        }
    }
}
