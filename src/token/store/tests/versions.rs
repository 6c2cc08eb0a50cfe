//! Another version of the program at the same store: what either wrote is the other's to leave alone.

use super::*;
use crate::token::store::{Grant, Token, decode};

const ONE: &[u8] = b"upauth record 1\n";
const TWO: &[u8] = b"upauth record 2\n";

fn grant(text: &str) -> Name {
    Name::of(Kind::Grant, [text.as_bytes()])
}

fn with_key(folder: &Folder, store: &str) -> FileStore {
    FileStore {
        path: folder.path().join(store),
        key: StoreKey::Given(Source::Value(Secret::new("ab".repeat(32)))),
    }
}

async fn open_as(format: &'static [u8], config: &FileStore) -> Result<Files, Unusable> {
    Files::open_as(format, config, Metrics::new()).await
}

/// A store of version one, in which the record `name` is of version two.
async fn mixed(folder: &Folder, name: &Name) -> Files {
    let (here, there) = (with_key(folder, "store"), with_key(folder, "other"));
    let files = open_as(ONE, &here).await.unwrap();
    let other = open_as(TWO, &there).await.unwrap();
    other.put(name, 0, b"its".into()).await.unwrap();
    for (file, bytes) in everything_in(&there.path) {
        if bytes.starts_with(TWO) && file != "check" {
            fs::write(here.path.join(file), bytes).unwrap();
        }
    }
    files
}

#[tokio::test]
async fn what_another_version_began_is_not_opened_and_neither_finds_less_than_it_left() {
    for (first, second) in [(ONE, TWO), (TWO, ONE)] {
        let folder = Folder::new();
        let config = config(&folder);
        let files = open_as(first, &config).await.unwrap();
        files.put(&grant("a"), 0, b"1".into()).await.unwrap();
        files.put(&name("a"), 0, b"2".into()).await.unwrap();
        drop(files);
        let before = everything_in(&config.path);
        let error = open_as(second, &config).await.unwrap_err();
        let text = error.to_string();
        assert!(
            matches!(error, Unusable::Record(StoreError::Foreign { .. })),
            "{text}"
        );
        assert!(
            text.contains("store/check was written by another version"),
            "{text}"
        );
        assert_eq!(everything_in(&config.path), before);
        // The one that began it goes on, as after a rollback.
        let files = open_as(first, &config).await.unwrap();
        for (name, value) in [(grant("a"), b"1"), (name("a"), b"2")] {
            assert_eq!(files.get(&name).await.unwrap().unwrap().value, value);
        }
        files.put(&grant("a"), 1, b"3".into()).await.unwrap();
    }
}

#[tokio::test]
async fn a_record_of_another_version_is_neither_none_nor_replaced() {
    for name in [grant("a"), name("a")] {
        let folder = Folder::new();
        let files = mixed(&folder, &name).await;
        let before = everything_in(&folder.path().join("store"));
        let got = files.get(&name).await;
        assert!(matches!(got, Err(StoreError::Foreign { .. })), "{got:?}");
        // Whatever is taken for its version: none, or any.
        for known in 0..3 {
            let put = files.put(&name, known, b"ours".into()).await;
            assert!(matches!(put, Err(StoreError::Foreign { .. })), "{put:?}");
        }
        files.sweep(Duration::from_secs(60)).await.unwrap();
        let lock = |file: &str| file.ends_with(".lock");
        let mut left = everything_in(&folder.path().join("store"));
        left.retain(|(file, _)| !lock(file));
        assert_eq!(left, before);
        // Others are none of its business.
        files.put(&grant("b"), 0, b"1".into()).await.unwrap();
    }
}

#[tokio::test]
async fn a_look_tells_of_a_refresh_token_that_another_version_wrote() {
    let folder = Folder::new();
    let files = mixed(&folder, &grant("a")).await;
    let known = files.leftovers(vec![grant("a")]).await;
    assert!(
        matches!(known, Err(StoreError::Foreign { .. })),
        "{known:?}"
    );
    let unknown = files.leftovers(Vec::new()).await.unwrap();
    assert_eq!((unknown.len(), &unknown[0].upstream), (1, &None));
}

#[tokio::test]
async fn a_record_passes_for_one_of_another_version_no_more_than_for_another_record() {
    let folder = Folder::new();
    let files = mixed(&folder, &grant("a")).await;
    let record = everything_in(&folder.path().join("store"));
    let (file, bytes) = record
        .iter()
        .find(|(_, bytes)| bytes.starts_with(TWO))
        .unwrap();
    let disguised = [ONE, bytes.strip_prefix(TWO).unwrap()].concat();
    fs::write(folder.path().join("store").join(file), disguised).unwrap();
    let got = files.get(&grant("a")).await;
    assert!(matches!(got, Err(StoreError::Damaged { .. })), "{got:?}");
}

/// What version one of the layout looks like. When this fails, stores that are in use are no longer read: then records
/// begin in another way, and those that begin in this one are still to be read for a release.
#[tokio::test]
async fn records_that_an_earlier_program_wrote_are_read() {
    let folder = Folder::new();
    let config = with_key(&folder, "store");
    let files = open(&config).await.unwrap();
    for (file, hexadecimal) in [(GRANT_FILE, GRANT), (TOKEN_FILE, TOKEN)] {
        let pairs = (0..hexadecimal.len()).step_by(2);
        let bytes = pairs.map(|at| u8::from_str_radix(&hexadecimal[at..at + 2], 16).unwrap());
        fs::write(config.path.join(file), bytes.collect::<Vec<_>>()).unwrap();
    }
    let record = files.get(&grant("a")).await.unwrap().unwrap();
    let kept: Grant = decode(&record).unwrap();
    assert_eq!(record.version, 1);
    assert_eq!(kept.refresh_token.as_deref(), Some("the next"));
    assert_eq!((kept.redeemed, kept.rotated), (3, true));
    assert_eq!(kept.intent.unwrap().first_ms, 5);
    assert_eq!((&*kept.account, &*kept.upstream), ("asks", "mail"));
    let (answered, used) = kept.answer.unwrap().open();
    assert_eq!(&answered.body[..], b"{}");
    assert_eq!(
        (answered.sent, used),
        (Duration::from_secs(7), Duration::from_secs(8))
    );
    let record = files.get(&name("a")).await.unwrap().unwrap();
    let kept: Token = decode(&record).unwrap();
    assert_eq!(kept.answer().unwrap().open().1, Duration::from_secs(8));
}

#[test]
fn a_field_that_a_later_program_adds_is_read_over_and_one_that_an_earlier_did_not_write_is_empty() {
    let read = |text: &str| {
        let record = Record {
            version: 1,
            value: text.into(),
        };
        decode::<Grant>(&record)
    };
    let later = r#"{"refresh_token":"r","redeemed":1,"rotated":true,"intent":{"first_ms":1,"new":2},"account":"a","upstream":"u","answer":null,"new":{}}"#;
    let grant = read(later).unwrap();
    assert_eq!(
        (grant.refresh_token.as_deref(), grant.rotated),
        (Some("r"), true)
    );
    let earlier = r#"{"refresh_token":"r","redeemed":1,"rotated":true,"intent":null,"account":"a","answer":null}"#;
    assert_eq!(read(earlier).unwrap().upstream, "");
    // What makes no sense is not taken for one that holds nothing.
    for strange in ["{}", "null", "[]", r#"{"refresh_token":"r"}"#] {
        assert!(
            matches!(read(strange), Err(StoreError::Strange)),
            "{strange}"
        );
    }
}

const GRANT_FILE: &str = "grant-9454f11a1051472ed5b8179a4b2571b03c10d6aa6db5f1c71c74c1790116e02d";
const GRANT: &str = "757061757468207265636f726420310a00000000000000014d037cd7120c8636c0924c904431b2f4ee9f66d48885825303e2361161be17b5645b27a26db8688fd6a62c7232ce6f9c395e532a649129367a2e18cabada04b310f7a24c468e0e08848afc801591e4e6afd3e34284a9d36630ede8162c451c5262a30c7ce40c451d7e2a50d4d31f9c239f85454db4c7cd1c6c7cd6bf56b2c78a4712de134a0d25c9ccd043963220c985e3455c475577b224ced0e475bd447b54ba72f6823bdf6dec85d469b88f59d002cdcd971124225ac1f919e1666cdcab6460fc6257";
const TOKEN_FILE: &str = "token-9454f11a1051472ed5b8179a4b2571b03c10d6aa6db5f1c71c74c1790116e02d";
const TOKEN: &str = "757061757468207265636f726420310a0000000000000001f37e9350d9cb3391a242f7c72557d51e318d18e952e224420b50af02861db1371289e9b429d4603504448bfb56b4ab79d1e3f5d70d7f295390d1f7ea6927e2b440a117bd06edd0ed4f2828f74be2f621ec03";
