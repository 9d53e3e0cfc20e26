//! isoform.
fn main() {}
