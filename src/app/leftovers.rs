//! [`leftovers`]: what the store holds and nobody goes on from, seen from a configuration without a running proxy.

use crate::config::{Config, Store};
use crate::provider::{Provider, Rotation};
use crate::secret::ReadError;
use crate::token::endpoint::lineage;
use crate::token::store::{Files, Leftover, Unusable};

/// Why that cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// What decides which refresh token an upstream goes on from cannot be read.
    #[error(transparent)]
    Secret(#[from] ReadError),
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] Unusable),
}

/// The refresh tokens in the store of `config` that none of its upstreams goes on from. Nothing is changed.
pub async fn leftovers(config: &Config) -> Result<Vec<Leftover>, LookError> {
    let Store::File(file) = &config.store else {
        return Ok(Vec::new());
    };
    let Some(files) = Files::look(file).await? else {
        return Ok(Vec::new());
    };
    let mut known = Vec::new();
    for upstream in &config.upstreams {
        let provider = Provider::of(upstream);
        if provider.rotation != Rotation::None {
            known.push(lineage(&provider).await?);
        }
    }
    Ok(files.leftovers(known).await.map_err(Unusable::from)?)
}
