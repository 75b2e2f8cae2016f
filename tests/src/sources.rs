//! Reads the sources: text literals of Rust files, for the lint of SQL, and the `use` lines, for who may import whom.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The root of the checkout.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_owned).unwrap_or_default()
}

/// Every file below a folder with an ending.
pub fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The text literals of a Rust source with their lines; comments are passed over, and what follows `#[cfg(test)]` too.
pub fn literals(source: &str) -> Vec<(usize, String)> {
    let source = source.split("\n#[cfg(test)]\nmod ").next().unwrap_or_default();
    let letters: Vec<char> = source.chars().collect();
    let mut found = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < letters.len() {
        match letters[at] {
            '\n' => line += 1,
            '/' if letters.get(at + 1) == Some(&'/') => {
                while at < letters.len() && letters[at] != '\n' {
                    at += 1;
                }
                continue;
            }
            // A character literal, and not a lifetime.
            '\'' if letters.get(at + 1) == Some(&'\\') => at += 2,
            '\'' if letters.get(at + 2) == Some(&'\'') => at += 2,
            '"' => {
                let begun = line;
                let (text, end, lines) = literal(&letters, at + 1);
                found.push((begun, text));
                line += lines;
                at = end;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// One literal from after its quote: its text, where it ends, and how many lines it spans.
fn literal(letters: &[char], mut at: usize) -> (String, usize, usize) {
    let (mut text, mut lines) = (String::new(), 0);
    while at < letters.len() && letters[at] != '"' {
        if letters[at] == '\n' {
            lines += 1;
        }
        if letters[at] == '\\' {
            at += 1;
            match letters.get(at) {
                Some('\n') => {
                    lines += 1;
                    while letters.get(at + 1).is_some_and(|letter| letter.is_whitespace()) {
                        at += 1;
                        lines += usize::from(letters[at] == '\n');
                    }
                }
                Some('n') => text.push('\n'),
                Some(other) => text.push(*other),
                None => {}
            }
        } else {
            text.push(letters[at]);
        }
        at += 1;
    }
    (text, at, lines)
}

#[cfg(test)]
mod tests {
    use super::literals;

    #[test]
    fn literals_are_found_with_their_lines() {
        let source = "// \"no\"\nlet a = \"one\";\nlet c = '\"';\nlet b = \"two\n  \\\"three\\\"\";\n\n#[cfg(test)]\nmod tests { \"x\" }";
        let found = literals(source);
        assert_eq!(found, [(2, "one".to_owned()), (4, "two\n  \"three\"".to_owned())]);
    }
}
