//! Bulk 1.0 and 2.0.

use serde_json::json;

use super::{Emulator, Reply, bearer, call, emulator, token};

/// A call of Bulk 1.0 whose answer shows `shown`.
async fn bulk(emulator: &Emulator, token: &str, line: &str, kind: &str, body: &str) -> Reply {
    let headers = format!("X-SFDC-Session: {token}\r\nContent-Type: {kind}\r\n");
    let line = line.replace(" /job", " /services/async/59.0/job");
    call(emulator.instance(), &line, &headers, body.as_bytes()).await
}

#[tokio::test]
async fn an_insert_in_json_gives_a_result_for_each_record() {
    let emulator = emulator().await;
    let token = token(&emulator).await;
    let check = async |line: &str, body: &str, shown: &str| {
        let reply = bulk(&emulator, &token, line, "application/json", body).await;
        assert!(reply.text().contains(shown), "{line}: {}", reply.text());
        reply
    };
    let body = r#"{"operation":"insert","object":"Account","contentType":"JSON"}"#;
    let job = check("POST /job", body, r#""state":"Open""#)
        .await
        .field("id");
    let batch = check(&format!("POST /job/{job}/batch"), "[{},{}]", "Completed").await;
    let batch = format!("/job/{job}/batch/{}", batch.field("id"));
    check(
        &format!("POST /job/{job}"),
        r#"{"state":"Closed"}"#,
        "Closed",
    )
    .await;
    check(&format!("GET {batch}"), "", r#""numberRecordsProcessed":2"#).await;
    let results = check(&format!("GET {batch}/result"), "", r#""success":true"#).await;
    assert_eq!(results.json().as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_query_in_xml_names_its_result() {
    let emulator = emulator().await;
    let token = token(&emulator).await;
    let check = async |line: &str, kind: &str, body: &str, shown: &str| {
        let reply = bulk(&emulator, &token, line, kind, body).await;
        assert!(reply.text().contains(shown), "{line}: {}", reply.text());
        let mut parts = reply
            .text()
            .split(['<', '>'])
            .skip_while(|part| *part != "id");
        parts.nth(1).unwrap_or_default().to_owned()
    };
    let xml = "application/xml; charset=UTF-8";
    let body = "<jobInfo><operation>query</operation><object>Account</object><contentType>CSV</contentType></jobInfo>";
    let job = check("POST /job", xml, body, "<state>Open</state>").await;
    let line = format!("POST /job/{job}/batch");
    let batch = check(&line, "text/csv", "SELECT Id FROM Account", "Completed").await;
    let batch = format!("GET /job/{job}/batch/{batch}");
    check(&format!("{batch}/result"), xml, "", "<result>752").await;
    check(
        &format!("{batch}/result/752xx0000000001AAA"),
        xml,
        "",
        "\"Id\",\"Name\"",
    )
    .await;
}

#[tokio::test]
async fn bulk_2_ingests_and_queries() {
    let emulator = emulator().await;
    let good = bearer(&token(&emulator).await);
    let check = async |line: &str, body: &str, status: u16| {
        let line = line.replace(" /jobs", " /services/data/v59.0/jobs");
        let reply = call(emulator.instance(), &line, &good, body.as_bytes()).await;
        assert_eq!(reply.status, status, "{line}: {}", reply.text());
        reply
    };
    let body = r#"{"object":"Account","operation":"insert"}"#;
    let job = check("POST /jobs/ingest", body, 200).await;
    let id = job.field("id");
    let place = format!("services/data/v59.0/jobs/ingest/{id}/batches");
    assert_eq!(job.field("contentUrl"), place);
    check(&format!("PUT /{place}"), "Name\nA\nB\n", 201).await;
    check(
        &format!("PATCH /jobs/ingest/{id}"),
        r#"{"state":"UploadComplete"}"#,
        200,
    )
    .await;
    let job = check(&format!("GET /jobs/ingest/{id}"), "", 200).await;
    assert_eq!(
        (
            job.field("state").as_str(),
            &job.json()["numberRecordsProcessed"]
        ),
        ("JobComplete", &json!(2))
    );
    let rows = check(&format!("GET /jobs/ingest/{id}/successfulResults"), "", 200).await;
    assert_eq!(rows.text().lines().count(), 3);
    let body = r#"{"operation":"query","query":"SELECT Id FROM Account"}"#;
    let id = check("POST /jobs/query", body, 200).await.field("id");
    let page = check(&format!("GET /jobs/query/{id}/results"), "", 200).await;
    assert_eq!(page.header("sforce-locator"), Some("null"));
    let line = format!("GET /jobs/query/{id}/results?maxRecords=2");
    let page = check(&line, "", 200).await;
    let locator = page.header("sforce-locator").unwrap();
    let page = check(
        &format!("GET /jobs/query/{id}/results?locator={locator}"),
        "",
        200,
    )
    .await;
    assert_eq!(page.header("sforce-locator"), Some("null"));
}
