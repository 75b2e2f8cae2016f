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
        .filter(|letter| !letter.is_whitespace() && !is_mark(*letter) && !matches!(letter, '-' | '\u{2010}'..='\u{2015}'))
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

/// A mark that nobody sees: it comes along with copied text.
pub fn is_mark(letter: char) -> bool {
    matches!(letter, '\u{feff}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{ad}')
}

/// What a normalised code is.
pub fn verdict(code: &str) -> Verdict {
    if is_number(code) {
        return Verdict::Rounded;
    }
    let verdict = digits(code);
    // Companies' codes begin with 9, and so do identity numbers of foreign residents: there the code's own digits decide.
    if is_identity_number(code) && !(verdict == Verdict::Ok && code.starts_with('9')) {
        return Verdict::Identity;
    }
    if matches!(verdict, Verdict::Check | Verdict::Organisation) && ends_rounded(code) { Verdict::Rounded } else { verdict }
}

/// What its digits say of a code.
fn digits(code: &str) -> Verdict {
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

/// 9.13502E+17, or 913502000728319549.0: a cell that a spreadsheet took for a number. A code has 18 places and may hold one E.
fn is_number(code: &str) -> bool {
    let numeric = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'+' | b'E' | b',');
    code.bytes().all(numeric) && code.starts_with(|first: char| first.is_ascii_digit()) && {
        code.contains(['.', '+', ',']) || (code.contains('E') && code.len() != 18)
    }
}

/// A spreadsheet shows only 15 of 18 digits, then zeros.
fn ends_rounded(code: &str) -> bool {
    code.ends_with("000") && code.bytes().all(|byte| byte.is_ascii_digit())
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
            "914403001922038216",
            "9144030071526726XG",
            "91330100716105852F",
            "91110108551385082Q",
        ];
        for code in good {
            assert_eq!(verdict(code), Verdict::Ok, "{code}");
        }
        assert_eq!(verdict("91350203M0001QAY9B"), Verdict::Check);
        assert_eq!(verdict("91350203M0001QKT19"), Verdict::Check);
        assert_eq!(verdict("111111111111111111"), Verdict::Organisation);
        assert!(matches!(verdict("91310000631137490B"), Verdict::Check | Verdict::Organisation));
        assert_eq!(verdict("91310000631137409b"), Verdict::Format);
        assert_eq!(verdict("91310000631137409BX"), Verdict::Format);
        // It holds mod 31: only the organisation code and the identity number's own digit tell.
        assert_eq!(digits("362322198709086409"), Verdict::Organisation);
        assert_eq!(verdict("362322198709086409"), Verdict::Identity);
        assert_eq!(verdict("11010519491231002X"), Verdict::Identity);
    }

    #[test]
    fn what_a_spreadsheet_made_of_a_code_is_told() {
        for number in ["9.13502E+17", "9.13502E17", "9E17", "913502000728319549.0", "913502000728319000", "913,502,000,728,319,549"] {
            assert_eq!(verdict(&normalise(number)), Verdict::Rounded, "{number}");
        }
        for other in ["", "1234", "公司", "E+17", "91350102MAKEF4UK3"] {
            assert_eq!(verdict(&normalise(other)), Verdict::Format, "{other}");
        }
    }

    #[test]
    fn codes_are_normalised_and_never_guessed() {
        assert_eq!(normalise(" ９１310000-631137409ｂ\u{feff}"), "91310000631137409B");
        assert_eq!(normalise("O1I"), "O1I");
    }

    /// A code made of 16 places of the alphabet, both digits computed.
    fn code_of(places: &[usize]) -> String {
        let mut code = b"91".to_vec();
        code.extend(places[..6].iter().map(|place| ALPHABET[place % 10]));
        code.extend(places[6..14].iter().map(|place| ALPHABET[*place]));
        let organisation = (0..36).map(|value| b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[value]).find(|digit| {
            let mut own = code[8..].to_vec();
            own.push(*digit);
            organisation_holds(&own)
        });
        code.push(organisation.expect("some digit holds"));
        let known = String::from_utf8(code).expect("ASCII");
        let check = ALPHABET.iter().map(|digit| format!("{known}{}", char::from(*digit))).find(|code| digits(code) == Verdict::Ok);
        check.expect("some digit holds")
    }

    proptest! {
        #[test]
        fn a_wrong_place_is_always_caught(places in prop::collection::vec(0..31usize, 14), place in 0..18usize, letter in 0..31usize) {
            let code = code_of(&places);
            let mut bent = code.as_bytes().to_vec();
            bent[place] = ALPHABET[letter];
            let bent = String::from_utf8(bent).expect("ASCII");
            prop_assert_eq!(verdict(&bent) == Verdict::Ok, bent == code);
        }

        #[test]
        fn two_places_swapped_are_always_caught(places in prop::collection::vec(0..31usize, 14), place in 0..17usize) {
            let code = code_of(&places);
            let mut bent = code.as_bytes().to_vec();
            bent.swap(place, place + 1);
            let bent = String::from_utf8(bent).expect("ASCII");
            prop_assert_eq!(verdict(&bent) == Verdict::Ok, bent == code);
        }

        #[test]
        fn any_text_is_judged(text in "\\PC{0,24}") {
            let code = normalise(&text);
            prop_assert_eq!(&normalise(&code), &code);
            verdict(&code);
        }
    }
}
