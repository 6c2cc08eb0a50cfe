//! The jobs of Salesforce's Bulk APIs and what was uploaded to them.

use serde_json::Value;

use super::world::random_text;

/// The jobs of Bulk 1.0 and 2.0, by id.
#[derive(Debug, Default)]
pub(super) struct Jobs(Vec<(String, Job)>);

#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) operation: String,
    pub(super) object: String,
    pub(super) content_type: String,
    pub(super) state: String,
    pub(super) batches: Vec<Batch>,
}

#[derive(Clone, Debug)]
pub(super) struct Batch {
    pub(super) id: String,
    pub(super) body: String,
    pub(super) records: usize,
}

impl Jobs {
    /// Keeps a new job, in place of the oldest if there are too many.
    pub(super) fn add(&mut self, job: Job) -> String {
        if self.0.len() >= MOST {
            self.0.remove(0);
        }
        let id = format!("750xx{}", random_text(13));
        self.0.push((id.clone(), job));
        id
    }

    pub(super) fn get(&self, id: &str) -> Option<&Job> {
        let found = self.0.iter().find(|(candidate, _)| candidate == id);
        found.map(|(_, job)| job)
    }

    pub(super) fn get_mut(&mut self, id: &str) -> Option<&mut Job> {
        let found = self.0.iter_mut().find(|(candidate, _)| candidate == id);
        found.map(|(_, job)| job)
    }
}

impl Batch {
    pub(super) fn new(body: &[u8], content_type: &str) -> Self {
        let body = String::from_utf8_lossy(body).into_owned();
        let records = match content_type {
            "JSON" => serde_json::from_str::<Vec<Value>>(&body).map_or(0, |list| list.len()),
            "XML" => body.matches("<sObject>").count(),
            _ => body
                .lines()
                .filter(|line| !line.is_empty())
                .count()
                .saturating_sub(1),
        };
        let id = format!("751xx{}", random_text(13));
        Self { id, body, records }
    }
}

const MOST: usize = 200;
