//! Keys as problems quote them.

use super::{Mask, check};

#[test]
fn a_key_that_looks_like_no_name_is_hidden() {
    check(&[
        (
            "set_headers = { \"X-Key: hunter2\" = \"x\" }",
            "set_headers = { \"********\" = \"********\" }",
        ),
        (
            "set_headers = { X-Key = \"x\", \"Basic hunter2\" = 1 }",
            "set_headers = { X-Key = \"********\", \"********\" = ******** }",
        ),
        (
            "client_secret = { Zq7vXw9KpL2mN4tR8sYb = \"x\" }",
            "client_secret = { ******** = \"********\" }",
        ),
        ("\"client_secret=x\" = 1", "\"********\" = ********"),
        ("\"client_secret=x\"", "********"),
        ("colour = 1", "colour = ********"),
        ("header = \"X-Key\tx\"", "header = \"********\""),
        ("header = \"X-Key,x\"", "header = \"********\""),
        (
            "remove_headers = [\"X-Key;x\"]",
            "remove_headers = [\"********\"]",
        ),
    ]);
    let text = "[upstream.\"a b\"]\n[upstream.a.\"k=x\"]";
    assert_eq!(
        Mask::of(text).text(),
        "[upstream.\"a b\"]\n[upstream.a.\"********\"]"
    );
}
