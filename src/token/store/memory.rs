//! [`Memory`]: records that end with the process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex as Turn, OwnedMutexGuard};
use tokio::time::timeout;

use super::{Held, Lease, Name, Put, Record, Store, StoreError, StoreFuture};

/// Records that end with the process.
#[derive(Debug, Default)]
pub struct Memory {
    records: Mutex<HashMap<Name, Record>>,
    turns: Mutex<HashMap<Name, Arc<Turn<()>>>>,
}

impl Store for Memory {
    fn get<'a>(&'a self, name: &'a Name) -> StoreFuture<'a, Option<Record>> {
        let records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let found = records.get(name).cloned();
        Box::pin(async { Ok(found) })
    }

    fn put<'a>(&'a self, name: &'a Name, known: u64, value: Vec<u8>) -> StoreFuture<'a, Put> {
        Box::pin(async move {
            let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
            let version = records.get(name).map_or(0, |record| record.version);
            if version != known {
                return Ok(Put::Conflict);
            }
            let version = known + 1;
            records.insert(name.clone(), Record { version, value });
            Ok(Put::Done(version))
        })
    }

    fn lease<'a>(&'a self, name: &'a Name, wait: Duration) -> StoreFuture<'a, Lease> {
        Box::pin(async move {
            let turn = {
                let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
                Arc::clone(turns.entry(name.clone()).or_default())
            };
            let held = timeout(wait, turn.lock_owned()).await;
            let held =
                held.map_err(|_| StoreError::Busy("another flight redeems the same token"))?;
            Ok(Box::new(InTurn { _turn: held }) as Lease)
        })
    }
}

struct InTurn {
    _turn: OwnedMutexGuard<()>,
}

impl Held for InTurn {
    fn holds(&self) -> StoreFuture<'_, bool> {
        Box::pin(async { Ok(true) })
    }
}
