//! Tells cargo when the program has to be made anew because the console was.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Only a release carries the console; any other build reads it from the folder when asked.
    if std::env::var("PROFILE").is_ok_and(|profile| profile == "release") {
        println!("cargo::rerun-if-changed=console/dist");
    }
}
