//! Bulk 2.0 under `/services/data/vNN.N/jobs`: ingest and query jobs.
//!
//! A job is complete as soon as its upload is; every record succeeds.

use std::fmt::Write;

use axum::response::Response;
use http::request::Parts;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Batch, Job, World, answer, form, not_found, random_text};

pub(super) fn answer(
    world: &World,
    parts: &Parts,
    body: &[u8],
    root: &str,
    kind: &str,
    rest: &[&str],
) -> Response {
    let done = match (&parts.method, kind, rest) {
        (&Method::POST, "ingest" | "query", []) => create(world, body, root, kind),
        (&Method::PUT, "ingest", [id, "batches"]) => upload(world, body, id),
        (&Method::PATCH, _, [id]) => change(world, body, root, kind, id),
        (&Method::DELETE, _, [_id]) => Some(answer::empty(StatusCode::NO_CONTENT)),
        (&Method::GET, _, [id]) => look(world, id, |job| info(root, kind, id, job)),
        (&Method::GET, "query", [id, "results"]) => look(world, id, |_| results(parts)),
        (&Method::GET, "ingest", [id, "successfulResults"]) => look(world, id, successful),
        (&Method::GET, "ingest", [id, "failedResults" | "unprocessedrecords"]) => {
            look(world, id, |_| {
                csv("\"sf__Id\",\"sf__Error\",Name\n".to_owned())
            })
        }
        _ => None,
    };
    done.unwrap_or_else(not_found)
}

fn look(world: &World, id: &str, show: impl FnOnce(&Job) -> Response) -> Option<Response> {
    let job = world.books(|books| books.jobs.get(id).cloned());
    job.map(|job| show(&job))
}

fn create(world: &World, body: &[u8], root: &str, kind: &str) -> Option<Response> {
    let request: Value = serde_json::from_slice(body).ok()?;
    let field = |name| request.get(name).and_then(Value::as_str).map(str::to_owned);
    let is_query = kind == "query";
    if is_query {
        field("query")?;
    }
    let job = Job {
        operation: field("operation")?,
        object: field("object").unwrap_or_else(|| "Account".to_owned()),
        content_type: "CSV".to_owned(),
        state: if is_query { "JobComplete" } else { "Open" }.to_owned(),
        batches: Vec::new(),
    };
    let id = world.books(|books| books.jobs.add(job.clone()));
    Some(info(root, kind, &id, &job))
}

fn upload(world: &World, body: &[u8], id: &str) -> Option<Response> {
    world.books(|books| {
        let job = books.jobs.get_mut(id)?;
        // One upload per job, while it is open.
        if job.state != "Open" || !job.batches.is_empty() {
            return Some(answer::empty(StatusCode::CONFLICT));
        }
        job.batches.push(Batch::new(body, "CSV"));
        Some(answer::empty(StatusCode::CREATED))
    })
}

fn change(world: &World, body: &[u8], root: &str, kind: &str, id: &str) -> Option<Response> {
    let request: Value = serde_json::from_slice(body).ok()?;
    let state = match request.get("state")?.as_str()? {
        "UploadComplete" => "JobComplete",
        "Aborted" => "Aborted",
        _ => return None,
    };
    let job = world.books(|books| {
        let job = books.jobs.get_mut(id)?;
        state.clone_into(&mut job.state);
        Some(job.clone())
    })?;
    Some(info(root, kind, id, &job))
}

fn info(root: &str, kind: &str, id: &str, job: &Job) -> Response {
    let records: usize = job.batches.iter().map(|batch| batch.records).sum();
    let mut told = json!({
        "id": id,
        "operation": job.operation,
        "object": job.object,
        "state": job.state,
        "contentType": "CSV",
        "concurrencyMode": "Parallel",
        "apiVersion": 59.0,
        "lineEnding": "LF",
        "columnDelimiter": "COMMA",
        "numberRecordsProcessed": records,
        "numberRecordsFailed": 0,
    });
    if kind == "ingest"
        && let Some(fields) = told.as_object_mut()
    {
        // Without a leading slash.
        let place = format!("{}/jobs/ingest/{id}/batches", root.trim_start_matches('/'));
        fields.insert("contentUrl".to_owned(), place.into());
    }
    answer::value(StatusCode::OK, told)
}

/// The rows of the upload with two columns more.
fn successful(job: &Job) -> Response {
    let body = job.batches.first().map_or("", |batch| batch.body.as_str());
    let mut lines = body.lines().filter(|line| !line.is_empty());
    let mut rows = format!(
        "\"sf__Id\",\"sf__Created\",{}\n",
        lines.next().unwrap_or_default()
    );
    for line in lines {
        // Writing to a string cannot fail.
        let _ = writeln!(rows, "\"001xx{}\",\"true\",{line}", random_text(13));
    }
    csv(rows)
}

/// Three records: one page, or two if `maxRecords` asks for less than all. `Sforce-Locator` names the
/// second page, and is the word `null` on the last one.
fn results(parts: &Parts) -> Response {
    let all = [
        "001xx0000000001AAA",
        "001xx0000000002AAA",
        "001xx0000000003AAA",
    ];
    let (first, last) = all.split_at(2);
    let is_paged = form::number(parts, "maxRecords").is_some_and(|most| most < 3);
    let (ids, locator) = match form::query(parts, "locator").as_deref() {
        Some(LOCATOR) => (last, "null"),
        _ if is_paged => (first, LOCATOR),
        _ => (all.as_slice(), "null"),
    };
    let rows = format!("\"Id\"\n\"{}\"\n", ids.join("\"\n\""));
    let response = answer::with(csv(rows), "sforce-locator", locator);
    answer::with(response, "sforce-numberofrecords", &ids.len().to_string())
}

fn csv(body: String) -> Response {
    answer::text(StatusCode::OK, "text/csv", body)
}

const LOCATOR: &str = "MTAwMDA";
