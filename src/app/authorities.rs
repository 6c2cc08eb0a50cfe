//! [`TlsClients`]: whom connections to the outside believe, made once for all who believe the same.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;

use super::StartError;
use crate::secret::{Digest, in_time};
use crate::tls::Trust;

/// One TLS configuration per set of authorities: reading the system's takes a while. Theirs are read once, those of
/// files again at each reload.
#[derive(Default)]
pub(super) struct TlsClients {
    made: HashMap<Vec<PathBuf>, (Trust, String)>,
    /// Those that were looked at since the last reload began.
    seen: BTreeSet<Vec<PathBuf>>,
    /// A reload is under way, which takes nothing away: files that cannot be read any more are an error. At the start
    /// they make those upstreams unavailable that go by them.
    reloading: bool,
}

impl TlsClients {
    /// The configuration that trusts the system and `ca`, and a mark that changes with what the files hold.
    pub(super) fn get(&mut self, ca: &[PathBuf]) -> Result<(Trust, String), StartError> {
        let seen = self.seen.contains(ca);
        if let Some((tls, mark)) = self.made.get(ca)
            && (seen || *mark == contents(ca))
        {
            self.seen.insert(ca.to_vec());
            return Ok((tls.clone(), mark.clone()));
        }
        let made = (Trust::new(ca), contents(ca));
        match made.0.make() {
            Err(error) if self.reloading => return Err(StartError::of("ca", error)),
            Err(error) => {
                tracing::error!("ca: {error}; upstreams that go by it are unavailable until then");
            }
            Ok(_) => {}
        }
        self.made.insert(ca.to_vec(), made.clone());
        self.seen.insert(ca.to_vec());
        Ok(made)
    }

    /// A reload begins.
    pub(super) fn look_again(&mut self) {
        self.seen.clear();
        self.reloading = true;
    }

    /// Those that the configuration does not name any more are gone.
    pub(super) fn forget_the_rest(&mut self) {
        self.made.retain(|ca, _| self.seen.contains(ca));
    }
}

/// What the files hold, in short; what cannot be read is told when it is used.
pub(super) fn contents(files: &[PathBuf]) -> String {
    let digest = |path: &PathBuf| Digest::of(&in_time::read(path).unwrap_or_default()).to_hex();
    files.iter().map(digest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities_that_no_upstream_names_any_more_are_forgotten_and_others_stay() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/keys/cert.pem");
        let (system, own) = (vec![], vec![PathBuf::from(file)]);
        let mut clients = TlsClients::default();
        for ca in [&system, &own] {
            clients.get(ca).unwrap();
        }
        clients.forget_the_rest();
        assert_eq!(clients.made.len(), 2);
        // A reload after which nothing goes by the file; and one after which it is named again.
        for (named, count) in [(vec![&system], 1), (vec![&system, &own], 2)] {
            clients.look_again();
            named.iter().for_each(|ca| drop(clients.get(ca).unwrap()));
            clients.forget_the_rest();
            assert_eq!(clients.made.len(), count);
        }
    }
}
