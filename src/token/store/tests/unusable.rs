//! Stores that cannot be used say so, and nothing in them is changed.

use super::*;

#[tokio::test]
async fn another_key_a_lost_key_or_an_exposed_one_opens_nothing_and_changes_nothing() {
    let (files, folder) = files().await;
    files.put(&name("a"), 0, b"1".into()).await.unwrap();
    drop(files);
    let sound = config(&folder);
    let before = everything_in(&sound.path);
    let with = |key| FileStore {
        key,
        ..sound.clone()
    };
    let other = StoreKey::Given(Source::Value(Secret::new("ab".repeat(32))));
    let error = open(&with(other)).await.unwrap_err();
    assert!(matches!(error, Unusable::WrongKey { .. }), "{error}");
    let short = StoreKey::Given(Source::Value(Secret::new("short")));
    let error = open(&with(short)).await.unwrap_err().to_string();
    assert!(error.contains("64 hexadecimal digits") && !error.contains("short"));
    let key = folder.path().join("state/store.key");
    let text = fs::read(&key).unwrap();
    fs::remove_file(&key).unwrap();
    let error = open(&sound).await.unwrap_err();
    assert!(matches!(error, Unusable::KeyLost { .. }), "{error}");
    assert!(
        !key.exists(),
        "no key is made beside a store that has another"
    );
    fs::write(&key, text).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&key, fs::Permissions::from_mode(0o604)).unwrap();
        let error = open(&sound).await.unwrap_err();
        assert!(matches!(error, Unusable::Unfit { .. }), "{error}");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    }
    assert_eq!(everything_in(&sound.path), before);
    let files = open(&sound).await.unwrap();
    assert!(files.get(&name("a")).await.unwrap().is_some());
}

#[tokio::test]
async fn a_store_without_its_check_or_folder_is_gone_and_not_empty() {
    let (files, folder) = files().await;
    files.put(&name("a"), 0, b"1".into()).await.unwrap();
    let check = folder.path().join("store/check");
    let bytes = fs::read(&check).unwrap();
    fs::remove_file(&check).unwrap();
    assert!(files.get(&name("a")).await.is_ok(), "it is there");
    let missing = files.get(&name("b")).await;
    assert!(matches!(missing, Err(StoreError::Gone { .. })));
    let error = open(&config(&folder)).await.unwrap_err();
    assert!(matches!(error, Unusable::Record(StoreError::Gone { .. })));
    fs::write(&check, bytes).unwrap();
    fs::rename(folder.path().join("store"), folder.path().join("away")).unwrap();
    assert!(matches!(
        files.get(&name("a")).await,
        Err(StoreError::Gone { .. })
    ));
    let put = files.put(&name("a"), 1, b"2".into()).await;
    assert!(matches!(put, Err(StoreError::Io { .. })));
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_or_written_is_said_to_be_so() {
    let folder = Folder::new();
    let mut config = config(&folder);
    fs::write(folder.path().join("file"), "").unwrap();
    let (file, below) = (folder.path().join("file"), folder.path().join("file/store"));
    // Nobody, not even root, makes a folder there.
    for path in [file, below, PathBuf::from("/proc/upauth")] {
        config.path = path;
        let error = open(&config).await.unwrap_err();
        assert!(matches!(error, Unusable::Folder { .. }), "{error}");
    }
}

#[tokio::test]
async fn processes_that_begin_a_store_at_once_agree_on_its_key() {
    for _ in 0..20 {
        let folder = Folder::new();
        let mut openers = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let config = config(&folder);
            openers.spawn(async move { open(&config).await.unwrap() });
        }
        let stores = openers.join_all().await;
        stores[0].put(&name("a"), 0, b"1".into()).await.unwrap();
        for store in &stores {
            assert!(store.get(&name("a")).await.unwrap().is_some());
        }
    }
}

#[cfg(unix)]
#[test]
fn a_read_only_folder_is_told_at_the_start_and_read_while_it_runs() {
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::process::CommandExt;

    let folder = Folder::new();
    if fs::metadata(folder.path()).unwrap().uid() != 0 {
        return read_only(&folder);
    }
    // Permissions do not bind root: this very test again, as a user whom they bind.
    let program = match cfg!(target_os = "linux") {
        // Whoever may not look into the folder of the program may run it by this name.
        true => PathBuf::from("/proc/self/exe"),
        false => std::env::current_exe().unwrap(),
    };
    let mut again = std::process::Command::new(program);
    again.args(["--exact", "--nocapture"]).arg(concat!(
        "token::store::tests::unusable::",
        "a_read_only_folder_is_told_at_the_start_and_read_while_it_runs"
    ));
    let output = again.uid(NOBODY).gid(NOBODY).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains("1 passed"), "{output:?}");
}

#[cfg(unix)]
fn read_only(folder: &Folder) {
    use std::os::unix::fs::PermissionsExt;

    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build().unwrap();
    runtime.block_on(async {
        let files = open(&config(folder)).await.unwrap();
        files.put(&name("a"), 0, b"1".into()).await.unwrap();
        let store = folder.path().join("store");
        let mode = |bits| fs::set_permissions(&store, fs::Permissions::from_mode(bits)).unwrap();
        mode(0o500);
        let error = open(&config(folder)).await.unwrap_err();
        assert!(matches!(error, Unusable::Folder { .. }), "{error}");
        assert!(files.get(&name("a")).await.unwrap().is_some());
        for (record, known) in [("a", 1), ("b", 0)] {
            let put = files.put(&name(record), known, b"2".into()).await;
            assert!(matches!(put, Err(StoreError::Io { .. })), "{put:?}");
        }
        assert_eq!(files.get(&name("a")).await.unwrap().unwrap().value, b"1");
        mode(0o700);
    });
}

/// A user that has nothing.
#[cfg(unix)]
const NOBODY: u32 = 65534;

/// As where a limit of processes is reached while the program runs: the one thread that a runtime may still have is taken.
#[test]
fn a_store_that_is_open_needs_no_thread_that_the_system_may_not_give() {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().max_blocking_threads(1).build();
    let runtime = runtime.unwrap();
    let (files, _folder) = runtime.block_on(files());
    let (release, taken) = std::sync::mpsc::channel::<()>();
    runtime.spawn_blocking(move || taken.recv());
    runtime.block_on(async {
        let lease = files.lease(&name("a"), Duration::ZERO).await.unwrap();
        let put = files.put(&name("a"), 0, b"1".into()).await;
        assert_eq!(put.unwrap(), Put::Done(1));
        assert!(lease.holds().await.unwrap());
        assert!(files.get(&name("a")).await.unwrap().is_some());
        assert_eq!(files.sweep(HOUR).await.unwrap(), 0);
    });
    drop(release);
}
