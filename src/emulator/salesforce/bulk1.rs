//! Bulk 1.0 under `/services/async`: as much as simple-salesforce (JSON) and jsforce (XML and CSV)
//! need to insert and to query.
//!
//! A batch is done as soon as it is added; every record succeeds.

use std::fmt::Write;

use axum::response::Response;
use http::request::Parts;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Batch, Job, World, answer, form, random_text};

pub(super) fn answer(world: &World, parts: &Parts, body: &[u8], rest: &[&str]) -> Response {
    let done = match (&parts.method, rest) {
        (&Method::POST, ["job"]) => create(world, parts, body),
        (&Method::POST, ["job", id]) => change(world, parts, body, id),
        (&Method::GET, ["job", id]) => look(world, id, |job| info(parts, StatusCode::OK, id, job)),
        (&Method::POST, ["job", id, "batch"]) => add_batch(world, parts, body, id),
        (&Method::GET, ["job", id, "batch"]) => look(world, id, |job| batches(parts, id, job)),
        (&Method::GET, ["job", id, "batch", batch, rest @ ..]) => look(world, id, |job| {
            let batch = job.batches.iter().find(|candidate| candidate.id == *batch);
            batch.map_or_else(
                || invalid("InvalidBatch"),
                |batch| one_batch(parts, id, job, batch, rest),
            )
        }),
        _ => None,
    };
    done.unwrap_or_else(|| invalid("InvalidJob"))
}

fn look(world: &World, id: &str, show: impl FnOnce(&Job) -> Response) -> Option<Response> {
    let job = world.books(|books| books.jobs.get(id).cloned());
    job.map(|job| show(&job))
}

fn create(world: &World, parts: &Parts, body: &[u8]) -> Option<Response> {
    let field = |name| field(parts, body, name);
    let (Some(operation), Some(object)) = (field("operation"), field("object")) else {
        return Some(invalid("InvalidJob"));
    };
    let job = Job {
        operation,
        object,
        content_type: field("contentType").unwrap_or_else(|| "XML".to_owned()),
        state: "Open".to_owned(),
        batches: Vec::new(),
    };
    let id = world.books(|books| books.jobs.add(job.clone()));
    Some(info(parts, StatusCode::CREATED, &id, &job))
}

fn change(world: &World, parts: &Parts, body: &[u8], id: &str) -> Option<Response> {
    let state = field(parts, body, "state")?;
    let job = world.books(|books| {
        let job = books.jobs.get_mut(id)?;
        job.state = state;
        Some(job.clone())
    })?;
    Some(info(parts, StatusCode::OK, id, &job))
}

fn add_batch(world: &World, parts: &Parts, body: &[u8], id: &str) -> Option<Response> {
    world.books(|books| {
        let job = books.jobs.get_mut(id)?;
        if job.state != "Open" || job.batches.len() >= MOST_BATCHES {
            return Some(invalid("InvalidJobState"));
        }
        let batch = Batch::new(body, &job.content_type);
        job.batches.push(batch.clone());
        let told = batch_fields(id, &batch);
        Some(write(parts, StatusCode::CREATED, "batchInfo", &told))
    })
}

fn batches(parts: &Parts, id: &str, job: &Job) -> Response {
    let all = job.batches.iter().map(|batch| batch_fields(id, batch));
    if is_json(parts) {
        return answer::value(
            StatusCode::OK,
            json!({ "batchInfo": all.collect::<Value>() }),
        );
    }
    let inner: String = all.map(|told| element("batchInfo", &told)).collect();
    xml(StatusCode::OK, "batchInfoList", &inner)
}

fn one_batch(parts: &Parts, id: &str, job: &Job, batch: &Batch, rest: &[&str]) -> Response {
    match rest {
        [] => write(parts, StatusCode::OK, "batchInfo", &batch_fields(id, batch)),
        ["request"] => typed(job, batch.body.clone()),
        ["result"] if job.operation.starts_with("query") => match job.content_type.as_str() {
            "JSON" => answer::value(StatusCode::OK, json!([RESULT])),
            _ => xml(
                StatusCode::OK,
                "result-list",
                &format!("<result>{RESULT}</result>"),
            ),
        },
        ["result"] => typed(job, results(job, batch)),
        ["result", RESULT] => typed(job, queried(job)),
        _ => invalid("InvalidEntity"),
    }
}

/// What became of the records of a batch.
fn results(job: &Job, batch: &Batch) -> String {
    let ids = (0..batch.records).map(|_| format!("001xx{}", random_text(13)));
    match job.content_type.as_str() {
        "JSON" => ids
            .map(|id| json!({ "success": true, "created": true, "id": id, "errors": [] }))
            .collect::<Value>()
            .to_string(),
        "XML" => {
            let each = |id| {
                format!(
                    "<result><id>{id}</id><success>true</success><created>true</created></result>"
                )
            };
            let all: String = ids.map(each).collect();
            document("results", &all)
        }
        _ => ids.fold(
            "\"Id\",\"Success\",\"Created\",\"Error\"\n".to_owned(),
            |mut csv, id| {
                // Writing to a string cannot fail.
                let _ = writeln!(csv, "\"{id}\",\"true\",\"true\",\"\"");
                csv
            },
        ),
    }
}

fn queried(job: &Job) -> String {
    match job.content_type.as_str() {
        "JSON" => json!([{ "Id": "001xx0000000001AAA", "Name": "Account 1" }]).to_string(),
        "XML" => document(
            "queryResult",
            "<records><Id>001xx0000000001AAA</Id></records>",
        ),
        _ => "\"Id\",\"Name\"\n\"001xx0000000001AAA\",\"Account 1\"\n".to_owned(),
    }
}

fn typed(job: &Job, body: String) -> Response {
    let content_type = match job.content_type.as_str() {
        "JSON" => answer::JSON,
        "XML" => "application/xml",
        _ => "text/csv",
    };
    answer::text(StatusCode::OK, content_type, body)
}

fn info(parts: &Parts, status: StatusCode, id: &str, job: &Job) -> Response {
    let batches = job.batches.len();
    let told = json!({
        "id": id,
        "operation": job.operation,
        "object": job.object,
        "contentType": job.content_type,
        "state": job.state,
        "concurrencyMode": "Parallel",
        "apiVersion": 59.0,
        "numberBatchesTotal": batches,
        "numberBatchesCompleted": batches,
    });
    write(parts, status, "jobInfo", &told)
}

fn batch_fields(job: &str, batch: &Batch) -> Value {
    json!({
        "id": batch.id,
        "jobId": job,
        "state": "Completed",
        "numberRecordsProcessed": batch.records,
        "numberRecordsFailed": 0,
    })
}

/// In the language of the request: JSON if its content type says so, else XML.
fn write(parts: &Parts, status: StatusCode, name: &str, told: &Value) -> Response {
    if is_json(parts) {
        return answer::value(status, told.clone());
    }
    xml(status, name, &elements(told))
}

fn is_json(parts: &Parts) -> bool {
    form::media_type(&parts.headers).eq_ignore_ascii_case("application/json")
}

/// One field of a request, in either language.
fn field(parts: &Parts, body: &[u8], name: &str) -> Option<String> {
    if is_json(parts) {
        let value: Value = serde_json::from_slice(body).ok()?;
        return value.get(name)?.as_str().map(str::to_owned);
    }
    let text = std::str::from_utf8(body).ok()?;
    let (_, after) = text.split_once(&format!("<{name}>"))?;
    let (inner, _) = after.split_once(&format!("</{name}>"))?;
    Some(inner.trim().to_owned())
}

fn elements(told: &Value) -> String {
    let fields = told.as_object().into_iter().flatten();
    fields
        .map(|(name, value)| {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            format!("<{name}>{text}</{name}>")
        })
        .collect()
}

fn element(name: &str, told: &Value) -> String {
    format!("<{name}>{}</{name}>", elements(told))
}

fn document(name: &str, inner: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><{name} xmlns=\"{NAMESPACE}\">{inner}</{name}>"
    )
}

fn xml(status: StatusCode, name: &str, inner: &str) -> Response {
    answer::text(status, "application/xml", document(name, inner))
}

fn invalid(code: &str) -> Response {
    let inner =
        format!("<exceptionCode>{code}</exceptionCode><exceptionMessage>{code}</exceptionMessage>");
    xml(StatusCode::BAD_REQUEST, "error", &inner)
}

const NAMESPACE: &str = "http://www.force.com/2009/06/asyncapi/dataload";
const RESULT: &str = "752xx0000000001AAA";
const MOST_BATCHES: usize = 100;
