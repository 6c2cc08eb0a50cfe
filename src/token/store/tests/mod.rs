//! What is promised of every store, and of the files of one.

mod unusable;
mod versions;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{Files, Kind, Memory, Name, Put, Record, Store, StoreError, Unusable};
use crate::config::store::{FileStore, StoreKey};
use crate::secret::{Secret, Source, hex, random};
use crate::telemetry::Metrics;

/// A folder of this test's own; removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let name = format!("upauth-store-{}", hex(&random::<8>()));
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn config(folder: &Folder) -> FileStore {
    FileStore {
        path: folder.path().join("store"),
        key: StoreKey::Own(folder.path().join("state/store.key")),
    }
}

async fn files() -> (Files, Folder) {
    let folder = Folder::new();
    (open(&config(&folder)).await.unwrap(), folder)
}

async fn open(config: &FileStore) -> Result<Files, Unusable> {
    Files::open(config, Metrics::new()).await
}

fn name(text: &str) -> Name {
    Name::of(Kind::Token, [text.as_bytes()])
}

/// The record files, by name.
fn records(folder: &Folder) -> Vec<String> {
    let names = fs::read_dir(folder.path().join("store")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names
        .filter(|name| name.starts_with("token-") && !name.contains('.'))
        .collect();
    names.sort();
    names
}

async fn stores() -> (Vec<Arc<dyn Store>>, Folder) {
    let (files, folder) = files().await;
    (vec![Arc::new(Memory::default()), Arc::new(files)], folder)
}

#[tokio::test]
async fn a_record_is_replaced_only_by_who_knows_its_version() {
    let (stores, _folder) = stores().await;
    for store in stores {
        let (a, b) = (name("a"), name("b"));
        assert_eq!(store.get(&a).await.unwrap(), None);
        assert_eq!(store.put(&a, 1, b"x".into()).await.unwrap(), Put::Conflict);
        assert_eq!(store.put(&a, 0, b"1".into()).await.unwrap(), Put::Done(1));
        assert_eq!(store.put(&a, 0, b"x".into()).await.unwrap(), Put::Conflict);
        assert_eq!(store.put(&a, 1, b"2".into()).await.unwrap(), Put::Done(2));
        assert_eq!(store.put(&b, 0, b"b".into()).await.unwrap(), Put::Done(1));
        let record = store.get(&a).await.unwrap();
        let (version, value) = (2, b"2".to_vec());
        assert_eq!(record, Some(Record { version, value }));
    }
}

#[tokio::test]
async fn of_many_who_write_at_once_one_wins_each_version() {
    let (stores, _folder) = stores().await;
    for store in stores {
        let mut writers = tokio::task::JoinSet::new();
        for writer in 0..20_u8 {
            let store = Arc::clone(&store);
            writers.spawn(async move {
                let put = store.put(&name("a"), 0, vec![writer]).await.unwrap();
                (writer, put)
            });
        }
        let won = writers.join_all().await;
        let won: Vec<_> = won.iter().filter(|(_, put)| *put == Put::Done(1)).collect();
        let record = store.get(&name("a")).await.unwrap().unwrap();
        assert_eq!(won, [&(record.value[0], Put::Done(1))]);
    }
}

#[tokio::test]
async fn a_lease_is_one_holders_and_ends_when_it_is_dropped() {
    let (stores, _folder) = stores().await;
    for store in stores {
        let a = name("a");
        let lease = store.lease(&a, Duration::ZERO).await.unwrap();
        assert!(lease.holds().await.unwrap());
        let start = Instant::now();
        let second = store.lease(&a, Duration::from_millis(100)).await;
        assert!(matches!(second, Err(StoreError::Busy(_))));
        assert!(start.elapsed() >= Duration::from_millis(100));
        assert!(store.lease(&name("b"), Duration::ZERO).await.is_ok());
        let waiting = store.lease(&a, Duration::from_secs(10));
        let (third, ()) = tokio::join!(waiting, async move {
            sleep(Duration::from_millis(50)).await;
            drop(lease);
        });
        assert!(third.is_ok());
        // The record can be written meanwhile.
        assert_eq!(store.put(&a, 0, b"1".into()).await.unwrap(), Put::Done(1));
    }
}

#[tokio::test]
async fn a_lease_on_a_file_that_was_removed_is_none() {
    let (files, folder) = files().await;
    let lease = files.lease(&name("a"), Duration::ZERO).await.unwrap();
    for entry in fs::read_dir(folder.path().join("store")).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "lease")
        {
            fs::remove_file(path).unwrap();
        }
    }
    assert!(!lease.holds().await.unwrap());
    let second = files.lease(&name("a"), Duration::ZERO).await.unwrap();
    assert!(second.holds().await.unwrap() && !lease.holds().await.unwrap());
}

/// As if nobody had written the record for so long.
fn leave_alone(folder: &Folder, record: &str, by: Duration) {
    let path = folder.path().join("store").join(record);
    let file = fs::File::options().write(true).open(path).unwrap();
    let modified = file.metadata().unwrap().modified().unwrap();
    file.set_modified(modified - by).unwrap();
}

#[tokio::test]
async fn access_tokens_that_nobody_has_written_for_long_are_removed_and_refresh_tokens_are_not() {
    let (files, folder) = files().await;
    let grant = Name::of(Kind::Grant, [b"g".as_slice()]);
    files.put(&grant, 0, b"g".into()).await.unwrap();
    drop(files.lease(&grant, Duration::ZERO).await.unwrap());
    files.put(&name("old"), 0, b"1".into()).await.unwrap();
    for entry in fs::read_dir(folder.path().join("store")).unwrap() {
        let file = entry.unwrap().file_name();
        leave_alone(&folder, file.to_str().unwrap(), HOUR * 48);
    }
    files.put(&name("new"), 0, b"1".into()).await.unwrap();
    assert_eq!(files.sweep(HOUR * 49).await.unwrap(), 0);
    assert_eq!(files.sweep(HOUR * 47).await.unwrap(), 1);
    assert_eq!(files.get(&name("old")).await.unwrap(), None);
    assert!(files.get(&name("new")).await.unwrap().is_some());
    assert!(files.get(&grant).await.unwrap().is_some());
    let left = everything_in(&folder.path().join("store"));
    assert_eq!(left.len(), 6, "check; new: record, lock; grant: and lease");
    // Who still knows a version of it begins anew.
    let put = files.put(&name("old"), 1, b"2".into()).await.unwrap();
    assert_eq!(put, Put::Conflict);
    let put = files.put(&name("old"), 0, b"2".into()).await.unwrap();
    assert_eq!(put, Put::Done(1));
}

#[tokio::test]
async fn a_record_that_is_being_written_is_not_removed() {
    let (files, folder) = files().await;
    files.put(&name("a"), 0, b"1".into()).await.unwrap();
    let [record] = &records(&folder)[..] else {
        panic!()
    };
    leave_alone(&folder, record, HOUR * 48);
    let lock = folder.path().join("store").join(record);
    let lock = fs::File::open(lock.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    assert_eq!(files.sweep(HOUR).await.unwrap(), 0);
    lock.unlock().unwrap();
    assert_eq!(files.sweep(HOUR).await.unwrap(), 1);
}

#[tokio::test]
async fn records_outlive_the_process_under_names_that_tell_nothing() {
    let (files, folder) = files().await;
    files.put(&name("crm"), 0, b"hunter2".into()).await.unwrap();
    drop(files);
    let files = open(&config(&folder)).await.unwrap();
    assert_eq!(
        files.get(&name("crm")).await.unwrap().unwrap().value,
        b"hunter2"
    );
    let [file] = &records(&folder)[..] else {
        panic!()
    };
    let bytes = fs::read(folder.path().join("store").join(file)).unwrap();
    assert!(!bytes.windows(7).any(|part| part == b"hunter2"));
    assert!(!file.contains("crm") && file.len() == "token-".len() + 64);
}

#[cfg(unix)]
#[tokio::test]
async fn every_file_is_its_owners_alone() {
    use std::os::unix::fs::MetadataExt;

    let (files, folder) = files().await;
    files.put(&name("a"), 0, b"1".into()).await.unwrap();
    drop(files.lease(&name("a"), Duration::ZERO).await.unwrap());
    let mut open = vec![folder.path().join("store"), folder.path().join("state")];
    let mut seen = 0;
    while let Some(path) = open.pop() {
        let data = fs::metadata(&path).unwrap();
        let mode = if data.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(data.mode() & 0o777, mode, "{path:?}");
        seen += 1;
        if data.is_dir() {
            let inside = fs::read_dir(path).unwrap();
            open.extend(inside.map(|entry| entry.unwrap().path()));
        }
    }
    assert_eq!(seen, 7, "folder, check, record, lock, lease; state, key");
}

#[tokio::test]
async fn a_record_that_was_changed_swapped_or_cut_is_no_record_and_stays_as_it_is() {
    let (files, folder) = files().await;
    for each in ["a", "b"] {
        files.put(&name(each), 0, each.into()).await.unwrap();
    }
    let paths = records(&folder);
    let paths: Vec<_> = paths
        .iter()
        .map(|file| folder.path().join("store").join(file))
        .collect();
    let (first, second) = (fs::read(&paths[0]).unwrap(), fs::read(&paths[1]).unwrap());
    let mut later = first.clone();
    later[23] = 9;
    let mut changed = first.clone();
    *changed.last_mut().unwrap() ^= 1;
    let cut = first[..first.len() - 1].to_vec();
    for wrong in [later, changed, cut, second, Vec::new(), b"x".to_vec()] {
        fs::write(&paths[0], &wrong).unwrap();
        let mut met = 0;
        for each in ["a", "b"] {
            let got = files.get(&name(each)).await;
            if let Err(error) = got {
                assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
                let put = files.put(&name(each), 0, b"x".into()).await;
                assert!(matches!(put, Err(StoreError::Damaged { .. })));
                met += 1;
            }
        }
        assert_eq!(met, 1);
        assert_eq!(fs::read(&paths[0]).unwrap(), wrong);
    }
    fs::write(&paths[0], b"upauth record 2\nwhatever").unwrap();
    let mut met = Vec::new();
    for each in ["a", "b"] {
        met.extend(files.get(&name(each)).await.err());
    }
    assert!(matches!(met[..], [StoreError::Foreign { .. }]));
}

const HOUR: Duration = Duration::from_secs(3600);

/// The file's own text, so that nothing is lost in a comparison of parts.
fn everything_in(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read(entry.path()).unwrap())
        })
        .collect();
    all.sort();
    all
}
