//! The secrets of an installation: files of 0600 in a folder of 0700. Made once; what is there is never changed.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
};

use drumtower_runtime::{config::SERVICES, token::Signer};
use ring::rand::{SecureRandom as _, SystemRandom};
use secrecy::{ExposeSecret as _, SecretString};

/// A random password of 160 bits, safe in a URL.
pub fn password() -> SecretString {
    SecretString::from(hex::encode(random::<20>()))
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).expect("a machine without random numbers cannot keep secrets");
    bytes
}

/// The login roles of the services: one that serves and one that sweeps over all districts, each.
pub fn login_roles() -> impl Iterator<Item = String> {
    SERVICES.iter().flat_map(|service| [format!("dt_{service}"), format!("dt_{service}_sweep")])
}

/// Makes every secret that is missing.
pub fn complete(folder: &Path) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    if !folder.is_dir() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    for role in login_roles() {
        keep(folder, &role, || Ok(password().expose_secret().to_owned()))?;
    }
    keep(folder, "kek", || Ok(hex::encode(random::<32>())))?;
    keep(folder, "identity-tokens.key", || Ok(hex::encode(Signer::generate()?)))?;
    for signer in SERVICES.iter().chain(["gateway"].iter()) {
        let key = keep(folder, &format!("{signer}.key"), || Ok(hex::encode(Signer::generate()?)))?;
        let public = Signer::from_pkcs8(&hex::decode(key.trim_end())?)?.public();
        keep(folder, &format!("{signer}.pub"), || Ok(hex::encode(public)))?;
    }
    Ok(())
}

/// The secret of this name, made when missing. It gets its name last: a file half written is never read.
pub fn keep(
    folder: &Path,
    name: &str,
    make: impl FnOnce() -> Result<String, Box<dyn std::error::Error + Send + Sync>>,
) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    let path = folder.join(name);
    match fs::read_to_string(&path) {
        Ok(text) => return Ok(text.trim_end().to_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(format!("secret {}: {error}", path.display()).into()),
    }
    let text = make()?;
    write(&path, &text)?;
    Ok(text)
}

/// Writes a file only its owner may read, whole or not at all.
pub fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let fresh = path.with_added_extension("new");
    let mut file = fs::File::options().create(true).truncate(true).write(true).mode(0o600).open(&fresh)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&fresh, path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn secrets_are_made_once_and_closed_to_others() {
        let dir = tempfile::tempdir().expect("a folder");
        let folder = dir.path().join("secrets");
        complete(&folder).expect("made");
        let key = fs::read_to_string(folder.join("party.key")).expect("a key");
        complete(&folder).expect("nothing to do");
        assert_eq!(fs::read_to_string(folder.join("party.key")).expect("a key"), key);
        let public = Signer::from_pkcs8(&hex::decode(key).expect("hex")).expect("a key").public();
        assert_eq!(fs::read_to_string(folder.join("party.pub")).expect("a key"), hex::encode(public));
        for entry in fs::read_dir(&folder).expect("a folder") {
            let mode = entry.expect("a file").metadata().expect("its mode").permissions().mode();
            assert_eq!(mode & 0o077, 0);
        }
        assert_eq!(fs::metadata(&folder).expect("its mode").permissions().mode() & 0o077, 0);
    }
}
