//! Photos, documents and recordings of a request. Bytes are objects, sealed under the district's key; a row says what they are, and goes
//! after them. Nobody sees one before it was recognised by its content, rid of what a camera writes beside the picture, and scanned.

pub mod api;
pub mod blob;
mod bucket;
mod examine;
mod photo;
pub mod picture;
pub mod rules;
mod scan;
pub mod store;
pub mod watch;

pub use examine::Examiner;
