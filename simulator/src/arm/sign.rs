//! Signed URLs of long-running operations: as long as Azure's, and good only as they are.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

/// The api-version that AKS puts into these URLs, whatever the request's own.
const API_VERSION: &str = "2025-03-01";

/// Enough hashes to make the URL as long as a real one, about 3.6 KB.
const CERTIFICATE_BLOCKS: u8 = 70;

/// Signs operation URLs with a secret of this start.
#[derive(Debug)]
pub(crate) struct Signer {
    secret: Vec<u8>,
}

impl Signer {
    pub(crate) const fn new(secret: Vec<u8>) -> Self {
        Self { secret }
    }

    /// The query that makes `path` good.
    pub(crate) fn query(&self, path: &str) -> String {
        let part = |name: &str, block: u8| {
            let mut hash = Sha256::new();
            hash.update(&self.secret);
            hash.update(name);
            hash.update([block]);
            hash.update(path.to_lowercase());
            URL_SAFE_NO_PAD.encode(hash.finalize())
        };
        let certificate = (0..CERTIFICATE_BLOCKS).map(|block| part("c", block)).collect::<String>();
        let ticks = part("t", 0)
            .bytes()
            .fold(638_000_000_000_000_000_u64, |ticks, byte| ticks.wrapping_add(u64::from(byte) * 1_000_003));
        let signature = (0..8).map(|block| part("s", block)).collect::<String>();
        format!("api-version={API_VERSION}&t={ticks}&c={certificate}&s={signature}&h={}", part("h", 0))
    }

    /// Whether `query` is the one that belongs to `path`, verbatim.
    pub(crate) fn is_signed(&self, path: &str, query: &str) -> bool {
        self.query(path) == query
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_good_only_verbatim() {
        let signer = Signer::new(vec![1, 2, 3]);
        let query = signer.query("/operations/a");
        assert!((3_000..4_000).contains(&query.len()), "{}", query.len());
        assert!(signer.is_signed("/operations/a", &query));
        assert!(signer.is_signed("/Operations/A", &query));
        assert!(!signer.is_signed("/operations/b", &query));
        assert!(!signer.is_signed("/operations/a", "api-version=2025-03-01"));
        assert!(!signer.is_signed("/operations/a", &query.replace("api-version=2025-03-01&", "")));
    }
}
