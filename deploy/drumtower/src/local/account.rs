//! Under which account a private server runs, and where its files may lie.

use std::{
    ffi::OsStr,
    fs,
    os::unix::{
        ffi::OsStrExt as _,
        fs::{DirBuilderExt as _, MetadataExt as _, chown, symlink},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::Command,
};

use sha2::{Digest as _, Sha256};

use super::{Doing as _, Fault};

/// Where a server's files go when the account cannot reach the folder asked for.
const ASIDE: &str = "/var/lib/drumtower";

/// Who runs the servers: ourselves, or another account when we are root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account(Option<(u32, u32)>);

impl Account {
    /// `postgres` when there is one, else `drumtower`, created when missing; ourselves when we are not root.
    pub fn choose() -> Result<Self, Fault> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self(None));
        }
        if let Some(ids) = ids("postgres").or_else(|| ids("drumtower")) {
            return Ok(Self(Some(ids)));
        }
        let added = Command::new("useradd").args(["-r", "-s", "/usr/sbin/nologin", "drumtower"]).output();
        let added = added.map_err(|error| Fault::Account(format!("useradd: {error}")))?;
        let ids = ids("drumtower").ok_or_else(|| Fault::Account(String::from_utf8_lossy(&added.stderr).trim().to_owned()))?;
        Ok(Self(Some(ids)))
    }

    /// A command that runs as this account. It starts in `/`, for the account may not be able to enter our folder.
    pub fn command(self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir("/");
        if let Some((user, group)) = self.0 {
            command.uid(user).gid(group);
        }
        command
    }

    /// Gives a file or folder to this account.
    pub fn give(self, path: &Path) -> Result<(), Fault> {
        let Some((user, group)) = self.0 else { return Ok(()) };
        chown(path, Some(user), Some(group)).doing(|| format!("giving {} to account {user}", path.display()))
    }

    /// The server's home: `dir` itself, or a folder aside with `dir` a symbolic link to it when `dir` lies under a folder that
    /// the account may not enter (a checkout below `/root`).
    pub fn home(self, dir: &Path) -> Result<Home, Fault> {
        let parent = dir.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(parent).doing(|| format!("creating {}", parent.display()))?;
        let parent = parent.canonicalize().doing(|| format!("opening {}", parent.display()))?;
        let wanted = parent.join(dir.file_name().unwrap_or_default());
        let aside = !self.enters(&parent);
        let path = if aside { self.aside(&wanted)? } else { wanted };
        folder(&path)?;
        self.give(&path)?;
        Ok(Home { path, aside })
    }

    fn aside(self, wanted: &Path) -> Result<PathBuf, Fault> {
        let name = hex::encode(&Sha256::digest(wanted.as_os_str().as_bytes())[..8]);
        let path = Path::new(ASIDE).join(name);
        fs::create_dir_all(ASIDE).doing(|| format!("creating {ASIDE}"))?;
        if wanted.read_link().is_ok_and(|target| target == path) {
            return Ok(path);
        }
        // An empty folder may stand there already, as a temporary one does; the link beside it would be in nobody's way.
        if !wanted.exists() {
            symlink(&path, wanted).doing(|| format!("linking {} to {}", wanted.display(), path.display()))?;
        }
        Ok(path)
    }

    /// Whether the account may enter a folder and all above it.
    fn enters(self, folder: &Path) -> bool {
        let Some((user, group)) = self.0 else { return true };
        folder.ancestors().all(|folder| {
            fs::metadata(folder).is_ok_and(|found| {
                let mine = if found.uid() == user {
                    0o100
                } else if found.gid() == group {
                    0o010
                } else {
                    0o001
                };
                found.mode() & mine != 0
            })
        })
    }
}

/// Where a server keeps its files.
#[derive(Debug, Clone)]
pub struct Home {
    /// The folder.
    pub path: PathBuf,
    /// Not where it was asked for.
    pub aside: bool,
}

fn folder(path: &Path) -> Result<(), Fault> {
    if path.is_dir() {
        return Ok(());
    }
    fs::DirBuilder::new().mode(0o700).create(path).doing(|| format!("creating {}", path.display()))
}

fn ids(name: &str) -> Option<(u32, u32)> {
    Some((id("-u", name)?, id("-g", name)?))
}

fn id(which: &str, name: &str) -> Option<u32> {
    let output = Command::new("id").args([which, name]).output().ok()?;
    output.status.success().then(|| String::from_utf8(output.stdout).ok()?.trim().parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_folder_below_a_closed_one_is_out_of_reach_for_another_account() {
        let dir = tempfile::tempdir().expect("a folder");
        let open = dir.path().join("open");
        fs::create_dir(&open).expect("a folder");
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).expect("mode");
        let stranger = Account(Some((64_000, 64_000)));
        assert!(!stranger.enters(&open), "what lies below a closed folder is out of reach");
        for folder in [dir.path(), &open] {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o711)).expect("mode");
        }
        assert!(stranger.enters(&open));
        assert!(Account(None).enters(&open));
    }
}
