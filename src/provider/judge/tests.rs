//! Byte fixtures: upstream answers that mean a dead session, and those that only look like one.

use http::{HeaderMap, HeaderValue};

use super::*;
use crate::message::Readings;
use crate::provider::Provider;
use crate::provider::tests::{salesforce, zilliant, zuora};

fn headers(content_type: &'static str, length: Option<usize>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    if let Some(length) = length {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    headers
}

fn verdict(provider: &Provider, path: &str, status: u16, body: &str) -> Verdict {
    let content_type = match body.trim_start().as_bytes().first() {
        Some(b'[' | b'{') => "application/json;charset=UTF-8",
        Some(b'<') => "application/xml",
        _ => "text/plain",
    };
    judge(
        provider.surface(&Readings::of(path)),
        &Method::GET,
        StatusCode::from_u16(status).unwrap(),
        &headers(content_type, None),
        body.as_bytes(),
        true,
    )
}

const REST: &str = "/services/data/v64.0/query";
const BULK: &str = "/services/async/64.0/job";
const IDENTITY: &str = "/id/00Dxx/005xx";
const COMETD: &str = "/cometd/64.0/connect";
const EXPIRED: &str =
    r#"[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]"#;

#[test]
fn salesforce_sessions_are_dead_as_each_surface_says_it() {
    let xml = "<?xml version=\"1.0\"?><Errors><Error><errorCode>INVALID_SESSION_ID</errorCode>\
        <message>Session expired or invalid</message></Error></Errors>";
    let bulk_xml = "<?xml version=\"1.0\"?><error xmlns=\"http://www.force.com/2009/06/asyncapi/dataload\">\
        <exceptionCode>InvalidSessionId</exceptionCode>\
        <exceptionMessage>Invalid session id</exceptionMessage></error>";
    let bulk_json =
        r#"{"exceptionCode":"InvalidSessionId","exceptionMessage":"Invalid session id"}"#;
    let pretty = "[ {\n  \"errorCode\" : \"INVALID_SESSION_ID\",\n  \"message\" : \"x\"\n} ]";
    let connect = r#"[{"channel":"/meta/connect","successful":false,"error":"401::Authentication invalid","advice":{"reconnect":"none","interval":0}}]"#;
    let handshake = r#"[{"channel":"/meta/handshake","error":"403::Handshake denied","ext":{"sfdc":{"failureReason":"401::Authentication invalid"}}}]"#;
    let rows = [
        (REST, 401, EXPIRED),
        (REST, 401, pretty),
        (REST, 401, xml),
        ("/services/apexrest/x", 401, EXPIRED),
        ("/services/data/v64.0/tooling/query", 401, EXPIRED),
        ("/services/data/v64.0/jobs/ingest", 401, EXPIRED),
        ("/services/data/v64.0/connect/files", 401, xml),
        (BULK, 400, bulk_xml),
        (BULK, 400, bulk_json),
        (IDENTITY, 403, "Bad_OAuth_Token"),
        ("/services/oauth2/userinfo", 403, "\nBad_OAuth_Token\n"),
        (COMETD, 200, connect),
        (COMETD, 200, handshake),
        (COMETD, 401, connect),
        (COMETD, 403, handshake),
        (COMETD, 401, EXPIRED),
    ];
    for (path, status, body) in rows {
        let got = verdict(&salesforce(), path, status, body);
        assert_eq!(got, Verdict::Dead, "{path} {status} {body}");
    }
}

#[test]
fn what_no_renewal_mends_rejects_nothing() {
    let unfit = r#"[{"errorCode":"INVALID_SESSION_ID","message":"This session is not valid for use with the REST API"}]"#;
    let agent = r#"[{"message":"Connected app is not attached to Agent","errorCode":"INVALID_SESSION_ID"}]"#;
    let unfit_xml = "<Errors><Error><errorCode>INVALID_SESSION_ID</errorCode>\
        <message>This session is not valid for use with the REST API</message></Error></Errors>";
    let header = r#"[{"message":"INVALID_HEADER_TYPE","errorCode":"INVALID_AUTH_HEADER"}]"#;
    let limit =
        r#"[{"message":"TotalRequests Limit exceeded.","errorCode":"REQUEST_LIMIT_EXCEEDED"}]"#;
    let quoted = r#"[{"message":"\"errorCode\":\"INVALID_SESSION_ID\"","errorCode":"X"}]"#;
    let quoted_xml = r#"[{"message":"<errorCode>INVALID_SESSION_ID</errorCode>"}]"#;
    let event = r#"[{"channel":"/event/x","data":{"error":"401::Authentication invalid"}}]"#;
    let unknown = r#"[{"channel":"/meta/connect","error":"403::Unknown client"}]"#;
    let bulk_json = r#"{"exceptionCode":"InvalidSessionId"}"#;
    let rows = [
        (REST, 401, unfit),
        (REST, 401, agent),
        (REST, 401, unfit_xml),
        (REST, 401, header),
        // The token is good, and the host is not its own.
        (REST, 401, r#"[{"errorCode":"URL_NOT_RESET"}]"#),
        (REST, 403, r#"[{"errorCode":"API_DISABLED_FOR_ORG"}]"#),
        (REST, 400, bulk_json),
        (REST, 500, EXPIRED),
        (REST, 401, quoted),
        (REST, 401, quoted_xml),
        (REST, 401, "Unauthorized"),
        (REST, 401, ""),
        (
            REST,
            401,
            "[{\"errorCode\":\"INVALID_SESSION_ID\"}] trailing",
        ),
        (REST, 403, limit),
        (REST, 403, EXPIRED),
        (REST, 200, EXPIRED),
        (BULK, 400, r#"[{"exceptionCode":"InvalidSessionId"}]"#),
        (BULK, 400, r#"{"exceptionCode":"InvalidBatch"}"#),
        (BULK, 401, EXPIRED),
        (IDENTITY, 403, "Missing_OAuth_Token"),
        (IDENTITY, 403, "Wrong_Org"),
        (COMETD, 200, event),
        (COMETD, 200, unknown),
    ];
    for (path, status, body) in rows {
        let got = verdict(&salesforce(), path, status, body);
        assert_eq!(got, Verdict::Alive, "{path} {status} {body}");
    }
}

#[test]
fn zuora_says_it_in_three_shapes_and_stumbles_in_a_fourth() {
    let protected = r#"{"success":false,"processId":"FAKE123","reasons":[{"code":90000011,"message":"this resource is protected, please sign in first"}]}"#;
    let text_code = r#"{ "reasons": [{"code": "90000011"}], "success": false }"#;
    let business = r#"{"success":false,"reasons":[{"code":50000040,"message":"not found"}]}"#;
    let success = r#"{"success":true,"reasons":[{"code":90000011}]}"#;
    let rows = [
        (401, r#"{"message":"Authentication error"}"#, Verdict::Dead),
        (401, protected, Verdict::Dead),
        (200, protected, Verdict::Dead),
        (200, text_code, Verdict::Dead),
        (
            401,
            r#"{"message":"Failed to get user info"}"#,
            Verdict::TryAgain,
        ),
        (401, r#"{"message":"else"}"#, Verdict::Alive),
        (401, business, Verdict::Alive),
        (200, business, Verdict::Alive),
        (200, success, Verdict::Alive),
        (403, protected, Verdict::Alive),
    ];
    for (status, body, expected) in rows {
        let got = verdict(&zuora(), "/v1/accounts/A1", status, body);
        assert_eq!(got, expected, "{status} {body}");
    }
    assert_eq!(verdict(&zilliant(), "/v1/x", 401, ""), Verdict::Dead);
    assert_eq!(verdict(&zilliant(), "/v1/x", 403, ""), Verdict::Alive);
}

#[test]
fn only_small_json_is_looked_at_in_a_success() {
    let zuora = zuora();
    let salesforce = salesforce();
    let rest = salesforce.surface(&Readings::of(REST));
    let (get, head) = (Method::GET, Method::HEAD);
    let json = || "application/json";
    let rows = [
        (&zuora.rest, &get, 200, headers(json(), None), Look::Body),
        (
            &zuora.rest,
            &get,
            200,
            headers(json(), Some(4096)),
            Look::Body,
        ),
        (
            &zuora.rest,
            &get,
            200,
            headers(json(), Some(4097)),
            Look::Pass,
        ),
        (
            &zuora.rest,
            &get,
            200,
            headers("text/csv", None),
            Look::Pass,
        ),
        (&zuora.rest, &get, 200, HeaderMap::new(), Look::Pass),
        (&zuora.rest, &head, 200, headers(json(), None), Look::Pass),
        (
            &zuora.rest,
            &get,
            401,
            headers("text/html", Some(9999)),
            Look::Body,
        ),
        (&zuora.rest, &get, 404, headers(json(), None), Look::Pass),
        (rest, &get, 200, headers(json(), None), Look::Pass),
        (rest, &get, 401, headers(json(), None), Look::Body),
        (rest, &head, 401, headers(json(), None), Look::Body),
        (rest, &get, 500, headers(json(), None), Look::Pass),
    ];
    for (row, (surface, method, status, headers, expected)) in rows.into_iter().enumerate() {
        let status = StatusCode::from_u16(status).unwrap();
        assert_eq!(
            look(surface, method, status, &headers),
            expected,
            "row {row}"
        );
    }
}

#[test]
fn a_401_to_head_is_dead_where_the_rule_is_401() {
    let provider = salesforce();
    let rows = [
        (REST, 401, Verdict::Dead),
        (IDENTITY, 401, Verdict::Dead),
        (IDENTITY, 403, Verdict::Alive),
        (BULK, 400, Verdict::Alive),
        (BULK, 401, Verdict::Alive),
        (REST, 200, Verdict::Alive),
    ];
    for (path, status, expected) in rows {
        let surface = provider.surface(&Readings::of(path));
        let status = StatusCode::from_u16(status).unwrap();
        let got = judge(surface, &Method::HEAD, status, &HeaderMap::new(), b"", true);
        assert_eq!(got, expected, "{path} {status}");
    }
}

#[test]
fn a_body_that_was_cut_off_counts_for_what_was_seen_whole() {
    let long = format!(
        r#"[{{"errorCode":"INVALID_SESSION_ID","message":"{}"}}]"#,
        "x".repeat(2 * PREFIX_MAX)
    );
    let late = format!(
        r#"[{{"message":"{}","errorCode":"INVALID_SESSION_ID"}}]"#,
        "x".repeat(2 * PREFIX_MAX)
    );
    let cut = &EXPIRED[..EXPIRED.len() - 4];
    let zuora_cut = r#"{"success":false,"reasons":[{"code":90000011}]"#;
    let (salesforce, zuora) = (salesforce(), zuora());
    let rest = salesforce.surface(&Readings::of(REST));
    let rows = [
        (rest, 401, long.as_str(), false, Verdict::Dead),
        (rest, 401, long.as_str(), true, Verdict::Dead),
        (rest, 401, late.as_str(), false, Verdict::Alive),
        (rest, 401, EXPIRED, false, Verdict::Dead),
        // The value itself is cut.
        (rest, 401, cut, false, Verdict::Alive),
        // Ended, but not JSON.
        (
            rest,
            401,
            &EXPIRED[..EXPIRED.len() - 1],
            true,
            Verdict::Alive,
        ),
        (
            rest,
            401,
            &EXPIRED[..EXPIRED.len() - 1],
            false,
            Verdict::Dead,
        ),
        // What is left of 90000011005.
        (
            &zuora.rest,
            401,
            r#"{"reasons":[{"code":90000011"#,
            false,
            Verdict::Alive,
        ),
        // Only a whole small body speaks in a success.
        (&zuora.rest, 200, zuora_cut, false, Verdict::Alive),
        (&zuora.rest, 401, zuora_cut, false, Verdict::Dead),
    ];
    for (surface, status, body, complete, expected) in rows {
        let got = judge(
            surface,
            &Method::GET,
            StatusCode::from_u16(status).unwrap(),
            &headers("application/json", None),
            body.as_bytes(),
            complete,
        );
        let start = &body[..body.len().min(80)];
        assert_eq!(got, expected, "{status} {start} complete: {complete}");
    }
}

#[test]
fn no_beginning_of_a_body_upsets_the_judge() {
    let deep = "[".repeat(PREFIX_MAX);
    let bodies = [
        EXPIRED,
        "<a><b:c d='e'>f</b:c></a>",
        deep.as_str(),
        "<<>>",
        "\u{0}",
    ];
    for provider in [salesforce(), zuora(), zilliant()] {
        for path in [REST, BULK, IDENTITY, COMETD] {
            for body in bodies {
                for end in 0..body.len().min(128) {
                    for status in [200, 400, 401, 403] {
                        let _ = judge(
                            provider.surface(&Readings::of(path)),
                            &Method::GET,
                            StatusCode::from_u16(status).unwrap(),
                            &headers("application/json", None),
                            &body.as_bytes()[..end],
                            end % 2 == 0,
                        );
                    }
                }
            }
        }
    }
}
