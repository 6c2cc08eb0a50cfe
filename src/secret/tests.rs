//! What is read, trimmed, bounded and shown.

use super::*;

#[test]
fn a_secret_is_not_shown_by_debug() {
    assert_eq!(
        format!("{:?}", Source::Value(Secret::new("hunter2"))),
        "Value([secret])"
    );
}

#[tokio::test]
async fn one_trailing_newline_of_a_command_is_trimmed() {
    let source = Source::Command(vec!["printf".into(), "a b\n\n".into()]);
    assert_eq!(source.read().await.unwrap().expose(), "a b\n");
}

#[tokio::test]
async fn a_failing_command_is_named_without_its_arguments() {
    let source = Source::Command(vec!["false".into(), "hunter2".into()]);
    let error = source.read().await.unwrap_err().to_string();
    assert!(
        error.contains("`false`") && !error.contains("hunter2"),
        "{error}"
    );
}

#[tokio::test]
async fn what_is_far_too_long_for_a_secret_is_not_read_to_its_end() {
    let endless = [
        Source::Command(vec!["cat".into(), "/dev/zero".into()]),
        Source::File("/dev/zero".into()),
    ];
    for source in endless {
        let error = source.read().await.unwrap_err().to_string();
        assert!(error.ends_with("is longer than 64 KiB"), "{error}");
    }
}

#[tokio::test]
async fn a_value_that_is_needed_now_can_be_read_within_a_runtime() {
    let source = Source::Command(vec!["printf".into(), "a\n".into()]);
    assert_eq!(source.read_now().unwrap().expose(), "a");
}

#[test]
fn fingerprints_do_not_run_parts_together() {
    let of = Fingerprinter::new();
    assert_ne!(
        of.of([b"ab".as_slice(), b"c"]),
        of.of([b"a".as_slice(), b"bc"])
    );
    assert_eq!(of.of([b"ab".as_slice()]), of.of([b"ab".as_slice()]));
}
