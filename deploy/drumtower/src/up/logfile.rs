//! Log files of the roles: each at most 16 MiB, with one older one kept.

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
};

const LARGEST: u64 = 16 * 1024 * 1024;

/// A file that lines are added to.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    file: File,
    size: u64,
}

impl LogFile {
    /// Opens a file, creating it when missing.
    pub fn open(path: &Path) -> std::io::Result<Self> {
        let file = File::options().create(true).append(true).open(path)?;
        let size = file.metadata()?.len();
        Ok(Self { path: path.to_owned(), file, size })
    }

    /// Adds a line.
    pub fn add(&mut self, line: &str) -> std::io::Result<()> {
        if self.size > LARGEST {
            fs::rename(&self.path, self.path.with_added_extension("1"))?;
            *self = Self::open(&self.path)?;
        }
        self.file.write_all(format!("{line}\n").as_bytes())?;
        self.size += line.len() as u64 + 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_file_makes_room() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("party.log");
        let mut log = LogFile::open(&path).expect("open");
        log.add("old").expect("written");
        log.size = LARGEST + 1;
        log.add("new").expect("written");
        assert_eq!(fs::read_to_string(&path).expect("a file"), "new\n");
        assert_eq!(fs::read_to_string(dir.path().join("party.log.1")).expect("a file"), "old\n");
    }
}
