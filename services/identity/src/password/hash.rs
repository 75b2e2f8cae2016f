//! Password hashing on a bounded pool: a storm of sign-ins waits in line instead of stalling everything else.

use argon2::{Argon2, PasswordHasher as _, PasswordVerifier as _, password_hash::phc::PasswordHash};
use drumtower_runtime::{Fault, Kind, Refusal};
use tokio::sync::Semaphore;

/// Hashes at work at once; each takes a core and 19 MiB.
static ROOM: Semaphore = Semaphore::const_new(2);

/// Hashes a password with a new salt (argon2id, 19 MiB, two passes).
pub async fn hash(password: String) -> Result<String, Fault> {
    at_work(move || {
        let hash = Argon2::default().hash_password(password.as_bytes()).map_err(|error| Fault::broken(error.to_string()))?;
        Ok(hash.to_string())
    })
    .await
}

/// Whether a password is the one that was hashed. An unknown person costs the same time.
pub async fn verify(password: String, hash: Option<String>) -> Result<bool, Fault> {
    at_work(move || {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| NOBODY.to_owned());
        let hash = PasswordHash::new(&hash).map_err(|error| Fault::broken(error.to_string()))?;
        Ok(Argon2::default().verify_password(password.as_bytes(), &hash).is_ok() && known)
    })
    .await
}

/// The hash of a password that nobody has.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

async fn at_work<T: Send + 'static>(work: impl FnOnce() -> Result<T, Fault> + Send + 'static) -> Result<T, Fault> {
    let waiting = tokio::time::timeout(std::time::Duration::from_secs(2), ROOM.acquire()).await;
    let Ok(Ok(_place)) = waiting else {
        return Err(
            Refusal::new(Kind::Exhausted, "SIGN_IN_BUSY", "登录人数过多，请稍后重试", "too many sign-ins; try again shortly").into()
        );
    };
    tokio::task::spawn_blocking(work).await.map_err(|error| Fault::broken(error.to_string()))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_right_password_and_no_other() {
        let hash = hash("Drumtower-2026!".into()).await.expect("hashed");
        assert!(verify("Drumtower-2026!".into(), Some(hash.clone())).await.expect("verified"));
        assert!(!verify("drumtower-2026!".into(), Some(hash)).await.expect("verified"));
        assert!(!verify("anything".into(), None).await.expect("verified"));
    }
}
