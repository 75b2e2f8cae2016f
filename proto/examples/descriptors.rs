//! Writes the compiled descriptors to standard output: the console makes its types and its form fields from them.

use std::io::Write as _;

fn main() -> std::io::Result<()> {
    std::io::stdout().write_all(drumtower_proto::DESCRIPTORS)
}
